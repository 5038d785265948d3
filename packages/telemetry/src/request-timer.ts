import type { AgentEvent, Clock, TurnScope } from '@millrace/core'

/** Times the requests of one run, which follow each other. */
export interface RequestTimer {
  start(scope: Pick<TurnScope, 'attempt' | 'mode' | 'turn'>): void
  /** Notes the first content of an answer. Called with every event of the run, so later events return at once. */
  see(event: AgentEvent): void
  /** `firstChunkMs` is undefined for a request that does not stream, or without content so far. */
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
      // An attempt that continues the text of the previous attempt starts with a delta.
      if (type !== 'block.started' && type !== 'text.delta' && type !== 'thinking.delta' && type !== 'tool.input')
        return
      if (event.turn !== awaited.turn || event.attempt !== awaited.attempt) return
      awaited = undefined
      firstMs = Math.max(0, clock.now() - startedAt)
    },
    times: () => ({ ms: Math.max(0, clock.now() - startedAt), firstChunkMs: firstMs }),
  }
}
