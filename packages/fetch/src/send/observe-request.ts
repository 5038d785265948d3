import { clientError, type EventBody, MillraceError, type TurnMode, type TurnStarted } from '@millrace/core'
import { guarded, noUsage } from '@millrace/core/recovery'
import type { FetchSettings, RequestInfo } from '../request/options.ts'
import type { TurnEnd, TurnObserver } from '../turn/turn-observer.ts'

const silent: TurnObserver = {
  attempt() {},
  added() {},
  restarted() {},
  sent() {},
  flushed() {},
  fallback() {},
  ended() {},
}

/** Tells `onEvent` of a request as of a run of one turn. */
export function observeRequest({ onEvent, onWarning, runtime }: FetchSettings, info: RequestInfo): TurnObserver {
  if (onEvent === undefined) return silent
  const runId = runtime.newId()
  let seq = 0
  let attempt: Pick<TurnStarted, 'attempt' | 'mode'> = { attempt: 1, mode: 'stream' }

  function emit(body: EventBody): void {
    const event = { ...body, seq: ++seq, runId, at: runtime.clock.now() }
    guarded(
      () => onEvent?.(event, info),
      (cause) => onWarning(new MillraceError('callback_failed', 'onEvent threw an error', { cause, path: 'onEvent' })),
    )
  }

  emit({ type: 'run.started', decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} } })
  return {
    attempt(number: number, mode: TurnMode) {
      attempt = { attempt: number, mode }
      emit({ type: 'turn.started', turn: 1, ...attempt })
    },
    added(addition) {
      const place = { turn: 1, attempt: attempt.attempt, block: addition.index }
      if (addition.type === 'started') emit({ type: 'block.started', ...place, kind: addition.block.type })
      if (addition.type === 'text') emit({ type: 'text.delta', ...place, text: addition.text })
    },
    restarted() {},
    sent() {},
    flushed() {},
    fallback(from, to, reason, afterOutput) {
      emit({ type: 'fallback', turn: 1, from, to, reason, stage: afterOutput ? 'after_output' : 'before_output' })
    },
    ended(end: TurnEnd) {
      switch (end.status) {
        case 'whole':
        case 'salvaged': {
          const { stopReason, usage } = end
          const salvaged = end.status === 'salvaged' && ({ salvaged: true } as const)
          emit({ type: 'turn.finished', turn: 1, ...attempt, stopReason, usage, content: [], ...salvaged })
          return emit({ type: 'run.finished', outcome: outcomeOf(stopReason), stopReason, usage })
        }
        case 'interrupted':
          return emit({ type: 'run.finished', outcome: 'interrupted', stopReason: null, usage: noUsage })
        case 'failed': {
          const error = clientError(end.error)
          return emit({ type: 'run.finished', outcome: 'failed', stopReason: null, usage: noUsage, error })
        }
      }
    },
  }
}

function outcomeOf(stopReason: string | null): 'completed' | 'limit' | 'refused' {
  if (stopReason === 'refusal') return 'refused'
  return stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded' ? 'limit' : 'completed'
}
