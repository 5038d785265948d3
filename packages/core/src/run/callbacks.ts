import { defined } from '../kit/defined.ts'
import { type ClientError, clientError, MillraceError } from '../kit/errors.ts'
import type { AgentEvent, ToolOutcome, ToolProgress, ToolResultContent } from '../protocol/events.ts'
import { createShownText } from '../reduce/shown-text.ts'
import { guarded } from '../kit/hooks.ts'

/** The last argument of each callback. */
export interface CallbackMeta {
  readonly runId: string
  /** 0 before the first turn. */
  readonly turn: number
  readonly toolUseId?: string
}

/**
 * Called as a run goes on, in the order of its events. What a callback throws, or a promise it gives rejects with, is
 * reported to `onError` as recoverable and changes nothing. Nothing waits for them.
 */
export interface AgentCallbacks {
  readonly onText?: (text: string, meta: CallbackMeta) => void
  readonly onThinking?: (text: string, meta: CallbackMeta) => void
  /** A tool starts. */
  readonly onToolUse?: (name: string, input: unknown, meta: CallbackMeta) => void
  readonly onToolProgress?: (
    name: string,
    input: unknown,
    message: string | undefined,
    progress: ToolProgress,
    meta: CallbackMeta,
  ) => void
  /** A call has ended; `meta.outcome` says how. One that was started early and discarded is not told of. */
  readonly onToolResult?: (
    name: string,
    input: unknown,
    result: ToolResultContent,
    meta: CallbackMeta & { readonly outcome: ToolOutcome },
  ) => void
  /**
   * Withdraws `text`, the end of what `onText` was given in this turn. With `onText` and without this one, nothing
   * shown is ever withdrawn: see `Retraction`.
   */
  readonly onRetract?: (retraction: { readonly turn: number; readonly text: string }, meta: CallbackMeta) => void
  /**
   * What was recovered from (`recoverable`: a fault of the stream, a callback or middleware that failed), or what the
   * run failed with. The error is fit for a client; the original is in `result.error` and goes to `onWarning`.
   */
  readonly onError?: (error: ClientError, meta: CallbackMeta & { readonly recoverable: boolean }) => void
  readonly onEvent?: (event: AgentEvent, meta: CallbackMeta) => void
}

/** Whether these callbacks show text and have no way to take it back. */
export function lacksRetract(callbacks: AgentCallbacks | undefined): boolean {
  return callbacks?.onText !== undefined && callbacks.onRetract === undefined
}

/** Turns events into calls. */
export interface CallbackDispatcher {
  dispatch(event: AgentEvent): void
  report(error: MillraceError): void
}

/** @param warn what is told where `onError` is missing or throws itself */
// oxlint-disable-next-line max-lines-per-function -- short functions over what one run has shown
export function createCallbackDispatcher(
  callbacks: AgentCallbacks,
  runId: string,
  warn: (error: MillraceError) => void,
): CallbackDispatcher {
  let turn = 0
  let thinkingRetracted = false
  /** Kept only if text can be retracted. */
  const shown = callbacks.onRetract === undefined ? undefined : createShownText()
  const inputs = new Map<string, unknown>()

  const meta = (toolUseId?: string): CallbackMeta =>
    toolUseId === undefined ? { runId, turn } : { runId, turn, toolUseId }

  /** Calls one callback, where there is one; neither a throw nor a rejection gets past it. */
  function call<Name extends keyof AgentCallbacks>(
    name: Name,
    ...args: Parameters<NonNullable<AgentCallbacks[Name]>>
  ): void {
    const callback: unknown = callbacks[name]
    if (typeof callback !== 'function') return
    const failed = (cause: unknown): void => {
      const error = new MillraceError('callback_failed', `The callback ${name} failed`, { cause })
      if (name === 'onError') warn(error)
      else report(error)
    }
    guarded(() => Reflect.apply(callback, callbacks, args), failed)
  }

  function report(error: MillraceError): void {
    warn(error)
    call('onError', clientError(error), { ...meta(), recoverable: true })
  }

  function dispatch(event: AgentEvent): void {
    const change = shown?.apply(event)
    switch (event.type) {
      case 'turn.started':
        if (event.turn !== turn) {
          turn = event.turn
          thinkingRetracted = false
        }
        break
      case 'text.delta':
        call('onText', event.text, meta())
        break
      case 'thinking.delta':
        // A consumer that cannot retract thinking has seen it once; a second wording would be noise.
        if (!thinkingRetracted || callbacks.onRetract !== undefined) {
          call('onThinking', event.text, meta())
        }
        break
      case 'turn.retracted':
        thinkingRetracted = true
        if (change?.type === 'retract' && change.text !== '') {
          call('onRetract', { turn: change.turn, text: change.text }, meta())
        }
        break
      case 'tool.started':
        inputs.set(event.toolUseId, event.input)
        call('onToolUse', event.name, event.input, meta(event.toolUseId))
        break
      case 'tool.progress': {
        const { progress, total, message, data } = event
        const report: ToolProgress = defined({ progress, total, message, data })
        const input = inputs.get(event.toolUseId)
        call('onToolProgress', event.name, input, message, report, meta(event.toolUseId))
        break
      }
      case 'tool.finished':
        inputs.delete(event.toolUseId)
        if (event.outcome !== 'discarded') {
          const { name, input, result, outcome } = event
          call('onToolResult', name, input, result, { ...meta(event.toolUseId), outcome })
        }
        break
      case 'run.finished': {
        const { error } = event
        if (error !== undefined) call('onError', error, { ...meta(), recoverable: false })
        break
      }
      default:
        // Only onEvent is told of the others.
        break
    }
    call('onEvent', event, meta())
  }

  return { dispatch, report }
}
