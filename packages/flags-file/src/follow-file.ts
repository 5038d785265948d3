import type { CancelTimer, Clock } from '@millrace/core'
import { findFolders } from './find-folders.ts'
import { type FileReading, readFileText } from './read-file.ts'
import type { FolderWatch } from './watch-folders.ts'

export interface FollowFileOptions {
  readonly path: string
  readonly clock: Clock
  /** Milliseconds between checks if there is no notification. */
  readonly poll: number
  /** Milliseconds that a file must stay unchanged to count as completely written. */
  readonly settle: number
  readonly maxBytes: number
  /** Makes the watch. Undefined: the file is only polled. */
  readonly watch: ((onEvent: () => void) => FolderWatch) | undefined
  /** Called at every check with what is at the path, once it has settled. */
  readonly onReading: (reading: Exclude<FileReading, { status: 'changing' }>) => void
}

export interface FileFollower {
  /** Resolves when no check is running. */
  idle(): Promise<void>
  close(): void
}

/** Milliseconds after a notification: a burst of them, such as an editor's, is one check. */
const debounce = 50

/**
 * Follows what is at a path. A text that was modified longer than `settle` ago is passed on at once. Any other text, and a
 * missing file, is passed on once a second check, `settle` later, finds the same. So a file that is just being written or
 * replaced is never read half-written.
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
    // A file that is settling is checked soon anyway. Checking sooner would cut its time short.
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
    // Before the file is read, so that later changes are noticed.
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
        // Nothing in a check is known to throw. If something does, it must neither end the process nor the checks.
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
