import type { AgentEvent, Clock, TurnScope } from '@millrace/core'

/** Times the requests of one run, which come one after the other. */
export interface RequestTimer {
  start(scope: Pick<TurnScope, 'attempt' | 'mode' | 'turn'>): void
  /** Called with every event of the run, so it does next to nothing once the first of an answer was seen. */
  see(event: AgentEvent): void
  /** `firstChunkMs` is undefined for a request that does not stream, or of which nothing was seen. */
  times(): { readonly ms: number; readonly firstChunkMs: number | undefined }
}

export function createRequestTimer(clock: Clock): RequestTimer {
  let startedAt = clock.now()
  let firstMs: number | undefined
  let awaited: Pick<TurnScope, 'attempt' | 'turn'> | undefined

  return {
    start({ turn, attempt, mode }) {
      startedAt = clock.now()
      firstMs = undefined
      awaited = mode === 'stream' ? { turn, attempt } : undefined
    },
    see(event) {
      if (awaited === undefined) return
      const { type } = event
      // An attempt that goes on where the one before it broke off begins with a delta.
      if (type !== 'block.started' && type !== 'text.delta' && type !== 'thinking.delta' && type !== 'tool.input')
        return
      if (event.turn !== awaited.turn || event.attempt !== awaited.attempt) return
      awaited = undefined
      firstMs = Math.max(0, clock.now() - startedAt)
    },
    times: () => ({ ms: Math.max(0, clock.now() - startedAt), firstChunkMs: firstMs }),
  }
}
