import { MillraceError } from '../kit/errors.ts'
import { onAbort } from '../kit/signals.ts'
import type { AgentEvent } from '../protocol/events.ts'

/** Events kept for a first consumer that comes late. 10,000 small events are about 2 MB. */
const replayLimit = 10_000

/** How many events the slowest consumer may be behind before the run stops reading from the model. */
const highWaterMark = 128

/**
 * How many characters of text the slowest consumer may be behind. A delta holds what one read of the socket brought, up to
 * 64 KiB, so that 128 of them were 8 MiB for each client that had stopped reading.
 */
const highWaterChars = 65_536

/** The most events in one batch, so that a consumer that is far behind gets its backlog in pieces. */
const batchLimit = 256

/** Carries events from the one loop that writes them to any number of consumers, each at its own pace. */
export interface EventChannel extends AsyncIterable<AgentEvent> {
  /** Adds a batch, in one step for every consumer. */
  push(events: readonly AgentEvent[]): void
  close(): void
  /** Returns undefined if no consumer is behind, else a promise that resolves once all have caught up or `signal` aborts. */
  ready(signal: AbortSignal): Promise<void> | undefined
  /** Iterates the same events in batches: everything that is there when a batch is asked for. No batch is empty. */
  batches(): AsyncIterable<readonly AgentEvent[]>
}

interface Reader {
  /** The index, counted from the first event of the run, of what it reads next. */
  position: number
  /** Whether it has asked for anything. One that has not keeps events for itself, and holds up nothing. */
  begun: boolean
  wake: (() => void) | undefined
}

// oxlint-disable-next-line max-lines-per-function -- short functions over one buffer
export function createEventChannel(): EventChannel {
  let buffer: AgentEvent[] = []
  /** For each event in `buffer`, how many characters of text came before it. */
  let charsBefore: number[] = []
  let chars = 0
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

  function isBehind(): boolean {
    const position = slowest(false)
    return tail() - position >= highWaterMark || chars - (charsBefore[position - first] ?? chars) >= highWaterChars
  }

  /** Drops what every consumer has read; in large steps, so that the cost stays linear. */
  function trim(): void {
    const unread = everRead ? slowest(true) : first
    if (unread - first >= 1_024 || unread === tail()) {
      buffer = buffer.slice(unread - first)
      charsBefore = charsBefore.slice(unread - first)
      first = unread
    }
    if (!isBehind()) gate.open()
  }

  /** Stops keeping events for consumers that have not begun: their first read is an error that says so. */
  function stopReplay(): void {
    everRead = true
    for (const reader of readers) if (!reader.begun) readers.delete(reader)
    trim()
  }

  /** Opens a reader whose `next` gives up to `limit` events, as soon as there is one. */
  function open(limit: number): AsyncIterator<readonly AgentEvent[]> {
    const mine: Reader = { position: 0, begun: false, wake: undefined }
    let ended = false
    if (first === 0) readers.add(mine)
    const leave = (): void => {
      ended = true
      readers.delete(mine)
      mine.wake?.()
      trim()
    }

    async function next(): Promise<IteratorResult<readonly AgentEvent[]>> {
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
      const from = mine.position - first
      const events = buffer.slice(from, from + limit)
      if (ended || events.length === 0) return { done: true, value: undefined }
      mine.position += events.length
      trim()
      return { done: false, value: events }
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
    push(events) {
      for (const event of events) {
        buffer.push(event)
        charsBefore.push(chars)
        chars += charsOf(event)
      }
      if (buffer.length > replayLimit) stopReplay()
      else if (everRead && readers.size === 0) trim()
      for (const reader of readers) wake(reader)
    },
    close() {
      closed = true
      for (const reader of readers) wake(reader)
    },
    ready: (signal) => (signal.aborted || !isBehind() ? undefined : gate.wait(signal)),
    batches: () => ({ [Symbol.asyncIterator]: () => open(batchLimit) }),
    [Symbol.asyncIterator]: () => oneByOne(open(1)),
  }
}

/** The text of a delta. Other events are few, and counted as events. */
function charsOf(event: AgentEvent): number {
  switch (event.type) {
    case 'text.delta':
    case 'thinking.delta':
      return event.text.length
    case 'tool.input':
      return event.json.length
    default:
      return 0
  }
}

/** Iterates batches of one event as events. */
function oneByOne(batches: AsyncIterator<readonly AgentEvent[]>): AsyncIterator<AgentEvent> {
  return {
    async next() {
      const { done, value } = await batches.next()
      const event = done === true ? undefined : value[0]
      return event === undefined ? { done: true, value: undefined } : { done: false, value: event }
    },
    async return() {
      await batches.return?.()
      return { done: true, value: undefined }
    },
  }
}

function wake(reader: Reader): void {
  const waiting = reader.wake
  reader.wake = undefined
  waiting?.()
}

/** Resolves at the reader's next wake, for every call that waits for it. */
function nextWake(reader: Reader): Promise<void> {
  return new Promise((resolve) => {
    const before = reader.wake
    reader.wake = () => {
      before?.()
      resolve()
    }
  })
}

/** One promise for all who wait, such as the loop and a source that reads ahead; it resolves for all of them at once. */
function createGate(): { wait(signal: AbortSignal): Promise<void>; open(): void } {
  let waiting: { readonly promise: Promise<void>; readonly end: () => void } | undefined
  return {
    wait(signal) {
      if (waiting !== undefined) return waiting.promise
      let end = (): void => {}
      const promise = new Promise<void>((resolve) => {
        const stopListening = onAbort(signal, () => end())
        end = () => {
          waiting = undefined
          stopListening()
          resolve()
        }
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
