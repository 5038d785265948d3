import { MillraceError } from './errors.ts'
import type { AgentEvent } from './events.ts'

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
  wake: (() => void) | undefined
}

// oxlint-disable-next-line max-lines-per-function -- short functions over one buffer
export function createEventChannel(): EventChannel {
  let buffer: AgentEvent[] = []
  let first = 0
  let closed = false
  let everRead = false
  let resume: (() => void) | undefined
  const readers = new Set<Reader>()

  const tail = (): number => first + buffer.length

  function slowest(): number {
    let position = tail()
    for (const reader of readers) position = Math.min(position, reader.position)
    return position
  }

  /** Drops what every reader has read; in large steps, so that the cost stays linear. */
  function trim(): void {
    const unread = slowest()
    if (unread - first >= 1_024 || unread === tail()) {
      buffer = buffer.slice(unread - first)
      first = unread
    }
    if (resume !== undefined && tail() - unread < highWaterMark) resume()
  }

  function open(): AsyncIterator<AgentEvent> {
    let reader: Reader | undefined
    let ended = false
    const leave = (): void => {
      ended = true
      if (reader === undefined) return
      readers.delete(reader)
      reader.wake?.()
      trim()
    }

    async function next(): Promise<IteratorResult<AgentEvent>> {
      if (ended) return { done: true, value: undefined }
      if (reader === undefined) {
        if (first > 0) throw missed(first)
        everRead = true
        reader = { position: 0, wake: undefined }
        readers.add(reader)
      }
      const mine = reader
      while (mine.position >= tail()) {
        if (closed || ended) {
          leave()
          return { done: true, value: undefined }
        }
        await new Promise<void>((resolve) => {
          const before = mine.wake
          mine.wake = () => {
            before?.()
            resolve()
          }
        })
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
      if (everRead && readers.size === 0) {
        first = tail()
        buffer = []
      } else if (!everRead && buffer.length > replayLimit) {
        first = tail()
        buffer = []
        everRead = true
      }
      for (const reader of readers) wake(reader)
    },
    close() {
      closed = true
      for (const reader of readers) wake(reader)
    },
    ready(signal) {
      if (signal.aborted || tail() - slowest() < highWaterMark) return undefined
      return new Promise((resolve) => {
        const done = (): void => {
          resume = undefined
          signal.removeEventListener('abort', done)
          resolve()
        }
        resume = done
        signal.addEventListener('abort', done, { once: true })
      })
    },
    [Symbol.asyncIterator]: open,
  }
}

function wake(reader: Reader): void {
  const waiting = reader.wake
  reader.wake = undefined
  waiting?.()
}

function missed(count: number): MillraceError {
  return new MillraceError(
    'events_missed',
    `${count} events had passed when this iteration began: iterate a run when it starts`,
  )
}
