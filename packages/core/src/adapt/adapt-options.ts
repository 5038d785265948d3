import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent } from '../protocol/events.ts'
import { isRecord } from '../kit/guards.ts'
import { aBoolean, aDelay, aFunction, anything, checkOptions, refuse, withMethods } from '../kit/checks.ts'
import type { FlagClient, FlagContext } from '../run/flag-client.ts'
import type { Agent, RunInput, RunResult } from '../run/run.ts'
import type { Runtime } from '../kit/clock.ts'
import type { AsyncScope } from './async-scope.ts'
import type { Handover } from './legacy-run.ts'

/** The part of a run's input that `adaptLoop` decides by itself. */
type OwnInput = 'decision' | 'flags' | 'ledger' | 'mode' | 'runId'

/** What a call of an adapted loop asks a run to do. */
export type AdaptedInput = Omit<RunInput, OwnInput> & { readonly [Name in OwnInput]?: never }

export interface AdaptLoopOptions<This, Args extends unknown[], R, Own extends unknown[] = Args> {
  /** The loop that runs in production. Not overloaded: TypeScript sees the last overload only. */
  readonly legacy: (this: This, ...args: Args) => Promise<R>
  readonly agent: Agent
  /** How the caller's arguments become a run. Where it throws, the legacy loop is called. */
  readonly toInput: (this: This, ...args: Own) => AdaptedInput
  /** How a run's result becomes the caller's return value. */
  readonly fromResult: (this: This, result: RunResult, ...args: Own) => NoInfer<R> | Promise<NoInfer<R>>
  /**
   * How the rest of a half-done run is given to the legacy loop. `restart`: it starts over with the caller's arguments,
   * and its tools, wrapped by `wrapLegacyTool` with the same `scope`, answer the calls already made; what was shown is
   * withdrawn. Default: none; a run that fails after a committed turn then ends in its error.
   */
  readonly handover?: Handover<This, Own, NoInfer<R>> | 'restart'
  /** Decides who streams. Default: none, and nobody does but who asks for it. */
  readonly flags?: FlagClient
  /** Who asks, for the flags. Default: nobody; the kill switch is then asked, while the run goes on, for the input's `user`. */
  readonly context?: (this: This, ...args: Own) => FlagContext
  /** The caller's own wish, which wins over flags but not over the kill switch. Undefined: ask the flags. */
  readonly useStreaming?: (this: This, ...args: Own) => boolean | undefined
  /** An `AsyncLocalStorage`, for `handover: 'restart'`. */
  readonly scope?: AsyncScope
  /**
   * Whether the legacy loop itself calls the callbacks among its arguments. While it runs, ours are then silent, but for
   * `onEvent`, and text is withdrawn before it begins. Default: false.
   */
  readonly legacyReports?: boolean
  /** Called with every event of every run, in whichever mode. A throw is reported and ignored. */
  readonly onEvent?: (event: AgentEvent) => void
  readonly onWarning?: (error: MillraceError) => void
  /** Milliseconds that the flag source may take. Default: 50. */
  readonly flagDeadline?: number
  readonly runtime?: Partial<Runtime>
}

const toLegacy = { toArgs: aFunction, fromLegacy: aFunction }

const rules = {
  legacy: aFunction,
  agent: withMethods('run'),
  toInput: aFunction,
  fromResult: aFunction,
  handover(value: unknown, path: string): void {
    if (value === 'restart') return
    if (!isRecord(value)) refuse(path, 'must be { toArgs, fromLegacy } or "restart"')
    checkOptions(value, path, toLegacy)
    withMethods('toArgs', 'fromLegacy')(value, path)
  },
  flags: withMethods('getBooleanDetails'),
  context: aFunction,
  useStreaming: aFunction,
  scope: withMethods('run', 'getStore'),
  legacyReports: aBoolean,
  onEvent: aFunction,
  onWarning: aFunction,
  flagDeadline: aDelay(),
  runtime: anything,
}

/** @throws MillraceError with the option's path and what is expected there */
export function checkAdaptOptions(given: object): void {
  const { handover, scope, ...options } = checkOptions(given, '', rules)
  for (const name of ['legacy', 'toInput', 'fromResult']) aFunction(options[name], name)
  if (options['agent'] === undefined) refuse('agent', 'must be an agent, made by createAgent or remoteAgent')
  if (handover === 'restart' && scope === undefined) {
    refuse('scope', 'must be an AsyncLocalStorage where handover is "restart"')
  }
}
