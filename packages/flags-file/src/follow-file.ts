import type { CancelTimer, Clock } from '@millrace/core'
import { findFolders } from './find-folders.ts'
import { type FileReading, readFileText } from './read-file.ts'
import type { FolderWatch } from './watch-folders.ts'

export interface FollowFileOptions {
  readonly path: string
  readonly clock: Clock
  /** Milliseconds between looks where nothing is noticed. */
  readonly poll: number
  /** Milliseconds that a file must stay as it is to count as written to its end. */
  readonly settle: number
  readonly maxBytes: number
  /** Makes the watch; undefined: there is none, and the poll has to do. */
  readonly watch: ((onEvent: () => void) => FolderWatch) | undefined
  /** Gets what stands at the path, at every look, once it has settled. */
  readonly onReading: (reading: Exclude<FileReading, { status: 'changing' }>) => void
}

export interface FileFollower {
  /** Settles when no look is under way. */
  idle(): Promise<void>
  close(): void
}

/** A burst of events, such as an editor's, is one look. */
const debounce = 50

/**
 * Follows what stands at a path, whatever is done to it. A text that was modified longer ago than `settle` is given at once;
 * any other, and a missing file, once a second look `settle` later finds the same: so a file that is being written,
 * or is just being replaced, is not given in half.
 */
export function followFile(options: FollowFileOptions): FileFollower {
  const { path, clock, poll, settle, maxBytes, onReading } = options
  let cancel: CancelTimer = () => {}
  let dueAt = 0
  let candidate: FileReading | undefined
  let looking: Promise<void> | undefined
  let noticed = false
  let closed = false

  const plan = (ms: number): void => {
    cancel()
    dueAt = clock.now() + ms
    cancel = clock.setTimer(start, ms)
  }
  const notice = (): void => {
    if (closed) return
    if (looking !== undefined) noticed = true
    // A file that is settling is looked at soon anyway; sooner would cut its time short.
    else if (candidate === undefined && clock.now() + debounce < dueAt) plan(debounce)
  }
  const watch = options.watch?.(notice)

  const judge = (reading: FileReading): 'settled' | 'unsettled' => {
    const before = candidate
    candidate = undefined
    if (reading.status === 'changing') return 'unsettled'
    const old = reading.status === 'text' && clock.now() - reading.modifiedAt > settle
    if (old || (before !== undefined && isSame(before, reading))) {
      onReading(reading)
      return 'settled'
    }
    candidate = reading
    return 'unsettled'
  }
  const look = async (): Promise<void> => {
    noticed = false
    // Before the file is read: what happens to it after that is then noticed.
    watch?.update(await findFolders(path))
    const reading = await readFileText(path, maxBytes)
    if (closed) return
    const state = judge(reading)
    if (state === 'unsettled') plan(settle)
    else plan(noticed ? debounce : poll)
  }
  function start(): void {
    const attempt = async (): Promise<void> => {
      try {
        await look()
      } catch {
        // Nothing in a look is known to throw; but a bystander neither crashes the process nor stops looking.
        if (!closed) plan(poll)
      } finally {
        looking = undefined
      }
    }
    looking = attempt()
  }

  start()
  return {
    idle: () => looking ?? Promise.resolve(),
    close() {
      closed = true
      cancel()
      watch?.close()
    },
  }
}

function isSame(one: FileReading, other: FileReading): boolean {
  if (one.status === 'text') {
    return other.status === 'text' && one.text === other.text && one.modifiedAt === other.modifiedAt
  }
  return one.status === 'problem' && other.status === 'problem' && one.message === other.message
}
