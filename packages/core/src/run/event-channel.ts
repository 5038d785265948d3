import { MillraceError } from '../kit/errors.ts'
import type { AgentEvent } from '../protocol/events.ts'

/** Events kept for a first reader that comes late. 10,000 small events are about 2 MB. */
const replayLimit = 10_000

/** How many events the slowest reader may be behind before the run stops reading from the model. */
const highWaterMark = 128

/** From the one loop that writes events to any number of readers, each at its own pace. */
export interface EventChannel extends AsyncIterable<AgentEvent> {
  push(event: AgentEvent): void
  close(): void
  /** Undefined where no reader is behind, else a promise that resolves once all have caught up or `signal` aborts. */
  ready(signal: AbortSignal): Promise<void> | undefined
}

interface Reader {
  /** The index, counted from the first event of the run, of what it reads next. */
  position: number
  /** Whether it has asked for anything. One that has not keeps events for itself, and holds up nothing. */
  begun: boolean
  wake: (() => void) | undefined
}

export function createEventChannel(): EventChannel {
  let buffer: AgentEvent[] = []
  let first = 0
  let closed = false
  let everRead = false
  const gate = createGate()
  const readers = new Set<Reader>()

  const tail = (): number => first + buffer.length

  function slowest(all: boolean): number {
    let position = tail()
    for (const reader of readers) if (all || reader.begun) position = Math.min(position, reader.position)
    return position
  }

  /** Drops what every reader has read; in large steps, so that the cost stays linear. */
  function trim(): void {
    const unread = everRead ? slowest(true) : first
    if (unread - first >= 1_024 || unread === tail()) {
      buffer = buffer.slice(unread - first)
      first = unread
    }
    if (tail() - slowest(false) < highWaterMark) gate.open()
  }

  /** Keeps no more for who has not begun: what is left to them is an error that says so. */
  function stopReplay(): void {
    everRead = true
    for (const reader of readers) if (!reader.begun) readers.delete(reader)
    trim()
  }

  function open(): AsyncIterator<AgentEvent> {
    const mine: Reader = { position: 0, begun: false, wake: undefined }
    let ended = false
    if (first === 0) readers.add(mine)
    const leave = (): void => {
      ended = true
      readers.delete(mine)
      mine.wake?.()
      trim()
    }

    async function next(): Promise<IteratorResult<AgentEvent>> {
      if (ended) return { done: true, value: undefined }
      if (!mine.begun) {
        if (!readers.has(mine)) throw missed(tail())
        mine.begun = true
        everRead = true
      }
      while (mine.position >= tail()) {
        if (closed || ended) {
          leave()
          return { done: true, value: undefined }
        }
        await nextWake(mine)
      }
      const event = buffer[mine.position - first]
      if (ended || event === undefined) return { done: true, value: undefined }
      mine.position += 1
      trim()
      return { done: false, value: event }
    }

    return {
      next,
      return() {
        leave()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  return {
    push(event) {
      buffer.push(event)
      if (buffer.length > replayLimit) stopReplay()
      else if (everRead && readers.size === 0) trim()
      for (const reader of readers) wake(reader)
    },
    close() {
      closed = true
      for (const reader of readers) wake(reader)
    },
    ready: (signal) => (signal.aborted || tail() - slowest(false) < highWaterMark ? undefined : gate.wait(signal)),
    [Symbol.asyncIterator]: open,
  }
}

function wake(reader: Reader): void {
  const waiting = reader.wake
  reader.wake = undefined
  waiting?.()
}

/** Resolves at the reader's next wake, for everyone who waits for it. */
function nextWake(reader: Reader): Promise<void> {
  return new Promise((resolve) => {
    const before = reader.wake
    reader.wake = () => {
      before?.()
      resolve()
    }
  })
}

/** One promise for all who wait, such as the loop and who passes its events on; it resolves for all of them at once. */
function createGate(): { wait(signal: AbortSignal): Promise<void>; open(): void } {
  let waiting: { readonly promise: Promise<void>; readonly end: () => void } | undefined
  return {
    wait(signal) {
      if (waiting !== undefined) return waiting.promise
      let end = (): void => {}
      const promise = new Promise<void>((resolve) => {
        end = () => {
          waiting = undefined
          signal.removeEventListener('abort', end)
          resolve()
        }
        signal.addEventListener('abort', end, { once: true })
      })
      waiting = { promise, end }
      return promise
    },
    open: () => waiting?.end(),
  }
}

function missed(count: number): MillraceError {
  return new MillraceError(
    'events_missed',
    `${count} events had passed when this iteration began: iterate a run when it starts`,
  )
}
