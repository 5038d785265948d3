import {
  type AdaptedLoop,
  type AgentEvent,
  type AgentRun,
  answerText,
  createRun,
  type FlagClient,
  type FlagContext,
  MillraceError,
  type RunInput,
  type RunResult,
  type Runtime,
} from '@millrace/core'
import {
  aDelay,
  aFunction,
  aListOf,
  anId,
  anything,
  checkOptions,
  readRuntime,
  refuse,
  withMethods,
} from '@millrace/core/kit'
import { decide } from '@millrace/core/drive'
import { asMillraceError, guarded, noUsage } from '@millrace/core/recovery'
import type { Fetch } from '../request/messages-request.ts'
import { bindScopes, type Scope } from '../send/scope.ts'
import { createInPlaceRun } from './in-place-run.ts'
import { runScope } from './run-scope.ts'

export interface StreamInPlaceOptions<This, Args extends unknown[], R> {
  /** The loop that runs in production. It stays the only one. */
  readonly loop: (this: This, ...args: Args) => Promise<R>
  /** The `fetch` of the loop's own client, made by `createFetch`. */
  readonly fetch: Fetch
  /** Decides who streams. Default: none; only a caller that asks for it streams. */
  readonly flags?: FlagClient
  /** Returns the context that flags are evaluated with. Default: empty. */
  readonly context?: (this: This, ...args: Args) => FlagContext
  /** Returns the caller's own wish, which wins over flags but not over the kill switch. Undefined: ask the flags. */
  readonly useStreaming?: (this: This, ...args: Args) => boolean | undefined
  /** Returns the text of what the loop returned. Default: the text of the last answer. */
  readonly textOf?: (value: Awaited<R>) => string
  /** Returns the loop's arguments for a run that is started as an agent's, such as over HTTP. Default: the input itself. */
  readonly fromInput?: (input: RunInput) => Args
  /** The names of the loop's tools, so that each has its own flag. Default: none. */
  readonly toolNames?: readonly string[]
  /** Told of every event of every run, streaming or not. */
  readonly onEvent?: (event: AgentEvent) => void
  /** Told of what was recovered from, and of a request that a run left behind. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
  /** Milliseconds that the flag source may take. Default: 50. */
  readonly flagDeadline?: number
  readonly runtime?: Partial<Runtime>
}

const rules = {
  loop: aFunction,
  fetch: aFunction,
  flags: withMethods('getBooleanDetails'),
  context: aFunction,
  useStreaming: aFunction,
  textOf: aFunction,
  fromInput: aFunction,
  toolNames: aListOf(anId),
  onEvent: aFunction,
  onWarning: aFunction,
  flagDeadline: aDelay(),
  runtime: anything,
}

/**
 * Gives events of a loop that stays as it is: each request to the Messages API that is made inside of it is a turn. By flag,
 * turns stream, and what breaks is recovered; without it, requests go up as before, and the run is watched.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
// oxlint-disable-next-line max-lines-per-function -- one loop, called, run and served: short functions over its options
export function streamInPlace<This, Args extends unknown[], R>(
  options: StreamInPlaceOptions<This, Args, R>,
): AdaptedLoop<This, Args, Awaited<R>> {
  const given: object = options
  checkOptions(given, '', rules)
  rules.loop(options.loop, 'loop')
  if (!bindScopes(options.fetch, scopeFor(options.fetch))) refuse('fetch', 'must be one that createFetch made')
  const runtime = readRuntime(options.runtime)

  function start(self: This, argsOf: (signal: AbortSignal) => Args, input?: RunInput): Started<Awaited<R>> {
    let end: Started<Awaited<R>>['end'] | undefined
    const runId = input?.runId ?? runtime.newId()
    const run = createRun({
      runId,
      runtime,
      onWarning: options.onWarning,
      async drive(handle) {
        const { onEvent, flagDeadline = 50 } = options
        handle.attach(input?.callbacks, input?.signal)
        if (onEvent !== undefined) handle.observe(onEvent)
        const args = argsOf(handle.signal)
        const { context, wish } = readWish(options, self, args, input, handle.report)
        const { flags = input?.flags, fetch, toolNames = [] } = options
        const decision =
          input?.decision ??
          (await decide({
            flags,
            context,
            clock: runtime.clock,
            deadline: flagDeadline,
            toolNames,
            explicit: wish,
            otherwise: 'legacy',
            withoutFlags: false,
            report: handle.report,
          }))
        const sessionId = input?.sessionId
        handle.emit({ type: 'run.started', decision, ...(sessionId !== undefined && { sessionId }) })
        const turns = createInPlaceRun({ fetch, handle, decision, flags, context, flagDeadline, runtime, warn })
        try {
          const value = await runScope.run(turns.scope, () => options.loop.apply(self, args))
          end = { value }
          turns.end()
          const result = turns.result({ outcome: 'completed' }, undefined)
          return { ...result, text: readText(options.textOf, value, handle.report) ?? answerText(result.newMessages) }
        } catch (error) {
          end ??= { error }
          turns.end()
          const isInterrupted = handle.signal.aborted
          const failure = new MillraceError('legacy_failed', 'the loop threw an error', { cause: error })
          return turns.result(
            isInterrupted ? { outcome: 'interrupted' } : { outcome: 'failed', error: failure },
            undefined,
          )
        }
      },
      crashed: (error) => crashed(runId, error),
    })
    return {
      run,
      get end() {
        return end ?? { error: new MillraceError('internal', 'the run ended without a value') }
      },
    }
  }

  function warn(error: MillraceError): void {
    guarded(
      () => options.onWarning?.(error),
      () => {},
    )
  }

  const loop = async function (this: This, ...args: Args): Promise<Awaited<R>> {
    const started = start(this, () => args)
    await started.run.result
    const { end } = started
    if ('error' in end) throw end.error
    return end.value
  }
  return Object.assign(loop, {
    run(this: This, ...args: Args) {
      return start(this, () => args).run
    },
    toAgent(this: This) {
      return {
        run: (input: RunInput): AgentRun =>
          start(this, (signal) => toArgs(options.fromInput, { ...input, signal }), input).run,
        toolNames: () => options.toolNames ?? [],
      }
    },
  })
}

interface Started<R> {
  readonly run: AgentRun
  /** What the loop returned or threw, once the run is over. */
  readonly end: { readonly value: R } | { readonly error: unknown }
}

/** Requests through another `fetch` are none of the run's. */
function scopeFor(fetch: Fetch): () => Scope | undefined {
  return () => {
    const scope = runScope.getStore()
    return scope?.fetch === fetch ? scope.send : undefined
  }
}

function readWish<This, Args extends unknown[], R>(
  { context, useStreaming }: StreamInPlaceOptions<This, Args, R>,
  self: This,
  args: Args,
  input: RunInput | undefined,
  report: (error: MillraceError) => void,
): { readonly context: FlagContext; readonly wish: boolean | undefined } {
  const { user, mode = 'auto' } = input ?? {}
  const own = typeof user === 'string' ? { targetingKey: user } : (user ?? {})
  try {
    const asked = useStreaming?.apply(self, args)
    const wish = asked ?? (mode === 'auto' ? undefined : mode === 'stream')
    return { context: context?.apply(self, args) ?? own, wish }
  } catch (cause) {
    report(asMillraceError(cause))
    return { context: own, wish: false }
  }
}

function readText<R>(
  textOf: ((value: R) => string) | undefined,
  value: R,
  report: (error: MillraceError) => void,
): string | undefined {
  try {
    const text: unknown = textOf?.(value)
    return typeof text === 'string' ? text : undefined
  } catch (cause) {
    report(new MillraceError('callback_failed', 'textOf threw an error', { cause, path: 'textOf' }))
    return undefined
  }
}

function toArgs<Args extends unknown[]>(fromInput: ((input: RunInput) => Args) | undefined, input: RunInput): Args {
  if (fromInput !== undefined) return fromInput(input)
  const args = [input]
  return takesInput<Args>(args) ? args : refuse('fromInput', 'must be given for a loop that does not take a run input')
}

/** Whether the loop takes a run's input as its only argument: without `fromInput` its owner says so. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- no type can say it here: the owner does
function takesInput<Args extends unknown[]>(args: unknown[]): args is Args {
  return args.length === 1
}

function crashed(runId: string, error: MillraceError): RunResult {
  const nothing = { stopReason: null, messages: [], newMessages: [], text: '', usage: noUsage, turns: 0 }
  return { runId, outcome: 'failed', error, ...nothing }
}
