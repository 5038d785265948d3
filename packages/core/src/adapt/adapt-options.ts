import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent } from '../protocol/events.ts'
import type { Message } from '../protocol/messages.ts'
import { hasMethod, isRecord } from '../kit/guards.ts'
import { aBoolean, aDelay, aFunction, anything, checkOptions, refuse, rule, withMethods } from '../kit/checks.ts'
import type { DrivableAgent } from '../run/agent.ts'
import type { FlagClient, FlagContext } from '../run/flag-client.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { Runtime } from '../kit/clock.ts'
import type { AsyncScope } from './async-scope.ts'
import type { Handover } from './handed-over.ts'

/** The part of a run's input that `adaptLoop` decides by itself. */
type OwnInput = 'decision' | 'flags' | 'ledger' | 'mode' | 'runId'

/** What a call of an adapted loop asks a run to do. */
export type AdaptedInput = Omit<RunInput, OwnInput> & { readonly [Name in OwnInput]?: never }

/** What a run is asked to do that is started as an agent's, for `fromInput`. */
export interface AdaptedRunInput extends Omit<RunInput, 'messages' | 'signal'> {
  readonly messages: readonly Message[]
  readonly signal: AbortSignal
}

export interface AdaptLoopOptions<This, Args extends unknown[], R, Own extends unknown[] = Args> {
  /** The loop that runs in production. Not overloaded: TypeScript sees the last overload only. */
  readonly legacy: (this: This, ...args: Args) => Promise<R>
  /** The class that `legacy` is a method of; it types `this` in the other options. Default: `this` is unknown. */
  readonly self?: abstract new (...args: never) => This
  readonly agent: DrivableAgent
  /** Returns the run that a call asks for. If it throws, the legacy loop is called. */
  readonly toInput: (this: This, ...args: Own) => AdaptedInput
  /** Returns the caller's value for a run's result. */
  readonly fromResult: (this: This, result: RunResult, ...args: Own) => NoInfer<R> | Promise<NoInfer<R>>
  /**
   * Returns the legacy loop's arguments for a run that is started as an agent's, such as over HTTP: the opposite of
   * `toInput`. `input.signal` aborts when the run is interrupted. Default: the input itself, as the only argument.
   */
  readonly fromInput?: (input: AdaptedRunInput) => Own
  /**
   * How the rest of a half-done run is given to the legacy loop. `restart`: it starts over with the caller's arguments,
   * and its tools, wrapped by `wrapLegacyTool` with the same `scope`, answer the calls already made; what was shown is
   * retracted. Default: none; a run that fails after a committed turn then ends in its error.
   */
  readonly handover?: Handover<This, Own, NoInfer<R>> | 'restart'
  /** Decides who streams. Default: none; only a caller that asks for it streams. */
  readonly flags?: FlagClient
  /** Returns the context that flags are evaluated with. Default: empty; the kill switch is then asked, as the run goes on, for the input's `user`. */
  readonly context?: (this: This, ...args: Own) => FlagContext
  /** Returns the caller's own wish, which wins over flags but not over the kill switch. Undefined: ask the flags. */
  readonly useStreaming?: (this: This, ...args: Own) => boolean | undefined
  /** An `AsyncLocalStorage`, for `handover: 'restart'`. */
  readonly scope?: AsyncScope
  /**
   * Whether the legacy loop itself calls the callbacks among its arguments. While it runs, ours are then silent, except
   * `onEvent`, and text is retracted before it begins. Default: false.
   */
  readonly legacyReports?: boolean
  /** Called with every event of every run, in whichever mode. A throw is reported and ignored. */
  readonly onEvent?: (event: AgentEvent) => void
  /** Told of what was recovered from, and of a store that failed. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
  /** Milliseconds that the flag source may take. Default: 50. */
  readonly flagDeadline?: number
  readonly runtime?: Partial<Runtime>
}

const toLegacy = { toArgs: aFunction, fromLegacy: aFunction }

const rules = {
  legacy: aFunction,
  self: aFunction,
  agent: rule(
    (agent) => hasMethod(agent, 'run') && hasMethod(agent, 'prepare'),
    'must be an agent, made by createAgent or remoteAgent',
  ),
  toInput: aFunction,
  fromResult: aFunction,
  fromInput: aFunction,
  handover(value: unknown, path: string): void {
    if (value === 'restart') return
    if (!isRecord(value)) refuse(path, 'must be { toArgs, fromLegacy } or "restart"')
    checkOptions(value, path, toLegacy, 'options', ['toArgs', 'fromLegacy'])
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
  const { handover, scope } = checkOptions(given, '', rules, 'options', ['legacy', 'toInput', 'fromResult', 'agent'])
  if (handover === 'restart' && scope === undefined) {
    refuse('scope', 'must be an AsyncLocalStorage where handover is "restart"')
  }
}
