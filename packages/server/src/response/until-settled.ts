import type { AgentEvent } from '@millrace/core'

/** Batches of events, as they arrive. */
export type EventBatches = AsyncIterable<readonly AgentEvent[]>

export interface UntilSettledOptions {
  /** Returns what the last event of the run here waits for; undefined for a run that another process drives. */
  readonly settled: () => Promise<unknown> | undefined
  /** Whether the events end with `run.moving`, because another instance sends what follows. Default: no. */
  readonly isLeaving?: () => boolean
}

/**
 * Holds the last event of a run here back until `settled`. A client that has seen the end asks for the next run at once, and
 * the session must then be free and hold what this one added. A client that is told of a move asks another instance, which
 * must then find the run free.
 */
export function untilSettled(
  batches: EventBatches,
  { settled, isLeaving = () => false }: UntilSettledOptions,
): EventBatches {
  return {
    [Symbol.asyncIterator]() {
      const iterator = batches[Symbol.asyncIterator]()
      let held: AgentEvent | undefined
      let hasLeft = false
      const leave = async (): Promise<IteratorResult<readonly AgentEvent[]>> => {
        await iterator.return?.()
        return { done: true, value: undefined }
      }
      return {
        async next() {
          if (hasLeft) return leave()
          const { done, value }: IteratorResult<readonly AgentEvent[], unknown> =
            held === undefined ? await iterator.next() : { done: false, value: [held] }
          if (done === true) return { done, value: undefined }
          const events = isLeaving() ? upToMove(value) : value
          const last = events.at(-1)
          // A move is of interest elsewhere alone: the run may be under way here again.
          const moves = last?.type === 'run.moving' && isLeaving()
          if (last?.type !== 'run.finished' && !moves) return { done: false, value: events }
          if (events.length > 1) {
            held = last
            return { done: false, value: events.slice(0, -1) }
          }
          held = undefined
          await settled()
          hasLeft = moves
          return { done: false, value: events }
        },
        return: leave,
      }
    },
  }
}

function upToMove(events: readonly AgentEvent[]): readonly AgentEvent[] {
  const at = events.findIndex(({ type }) => type === 'run.moving')
  return at < 0 ? events : events.slice(0, at + 1)
}
