import type { AgentEvent } from '@millrace/core'

/** Batches of events, as they arrive. */
export type EventBatches = AsyncIterable<readonly AgentEvent[]>

/**
 * Holds the last event of a run back until `settled`: a client that has seen the end asks for the next run at once, and
 * the session must then be free and hold what this one added.
 */
export function untilSettled(batches: EventBatches, settled: () => Promise<unknown> | undefined): EventBatches {
  return {
    [Symbol.asyncIterator]() {
      const iterator = batches[Symbol.asyncIterator]()
      let held: AgentEvent | undefined
      return {
        async next() {
          const { done, value }: IteratorResult<readonly AgentEvent[], unknown> =
            held === undefined ? await iterator.next() : { done: false, value: [held] }
          if (done === true) return { done, value: undefined }
          const last = value.at(-1)
          if (last?.type !== 'run.finished') return { done: false, value }
          if (value.length > 1) {
            held = last
            return { done: false, value: value.slice(0, -1) }
          }
          held = undefined
          await settled()
          return { done: false, value }
        },
        async return() {
          await iterator.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}
