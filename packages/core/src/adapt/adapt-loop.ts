import { refuse } from '../kit/checks.ts'
import type { Runtime } from '../kit/clock.ts'
import { defined } from '../kit/defined.ts'
import { readRuntime } from '../kit/read-runtime.ts'
import { readMessages } from '../protocol/read-messages.ts'
import type { Agent, ResumeInput, ResumeResult } from '../run/agent.ts'
import { createRun } from '../run/create-run.ts'
import type { PreparedRun } from '../run/prepared-run.ts'
import { readRunInput } from '../run/read-input.ts'
import type { AgentRun, RunInput } from '../run/run.ts'
import { createToolLedger } from '../tools/ledger.ts'
import { type AdaptedRunInput, type AdaptLoopOptions, checkAdaptOptions } from './adapt-options.ts'
import { type AdaptedCall, bindCall } from './adapted-call.ts'
import { type AdaptedSettings, type Driven, emptyResult, followProgress } from './adapted-run.ts'
import { driveAdapted } from './drive-adapted.ts'

/**
 * `Args`, and no place to infer it from: a callback that leaves an argument out does not take it from the loop's callers.
 */
type AsIs<Args extends unknown[]> = [Args] extends [infer Same extends unknown[] | []] ? Same : never

/** A drop-in replacement for the legacy function that also gives events. */
export interface AdaptedLoop<This, Args extends unknown[], R> {
  (this: This, ...args: Args): Promise<R>
  /** Starts the same as a run with events. For a method: `loop.run.call(instance, ...args)`. Its `result` never rejects. */
  run(this: This, ...args: Args): AgentRun
  /**
   * Returns the loop as an agent, whose runs take a `RunInput` and can be resumed; `createHandler({ agent: loop })` calls
   * it. The legacy loop is given what `fromInput` makes of the input. For a method: `loop.toAgent.call(instance)`.
   */
  toAgent(this: This): Agent
}

/**
 * Wraps a loop that runs in production, without a change for its callers. By flag, runs go through `agent` and stream; a
 * run that fails there for any reason but an abort, an interrupt, a limit or a refusal is finished by `legacy`. The agent
 * and the legacy loop share one run: one numbering, one journal.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function adaptLoop<This, Args extends unknown[] | [], R>(
  options: AdaptLoopOptions<This, Args, R, AsIs<Args>>,
): AdaptedLoop<This, Args, R>
export function adaptLoop<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
): AdaptedLoop<This, Args, R> {
  checkAdaptOptions(options)
  const runtime = readRuntime(options.runtime)
  const settings = toSettings(options, runtime)
  const start = <Value>(given: Started<Value>): Running<Value> => startRun(options, settings, runtime, given)

  const loop = function (this: This, ...args: Args): Promise<R> {
    return valueOf(start({ call: bindCall(options, this, args) }))
  }
  const run = function (this: This, ...args: Args): AgentRun {
    return start({ call: bindCall(options, this, args) }).run
  }
  const toAgent = function (this: This): Agent {
    const callFor = (input: RunInput, signal: AbortSignal): AdaptedCall<R> =>
      bindCall(options, this, toArgs(options, { ...input, messages: readMessages(input.messages), signal }))
    return asAgent(options, settings, start, callFor)
  }
  return Object.assign(loop, { run, toAgent })
}

function toSettings<This, Args extends unknown[], R>(
  { agent, flags, flagDeadline = 50, handover, scope, legacyReports = false }: AdaptLoopOptions<This, Args, R>,
  { clock }: Runtime,
): AdaptedSettings {
  const how = handover === undefined ? 'none' : handover === 'restart' ? 'restart' : 'history'
  return { agent, flags, flagDeadline, handover: how, scope, legacyReports, clock }
}

/** Returns the legacy loop's arguments for a run that is started as an agent's. */
function toArgs<This, Args extends unknown[], R>(
  { fromInput }: AdaptLoopOptions<This, Args, R>,
  input: AdaptedRunInput,
): Args {
  if (fromInput !== undefined) return fromInput(input)
  const args = [input]
  return takesInput<Args>(args) ? args : refuse('fromInput', 'must be given for a loop that does not take a run input')
}

/** Whether the legacy loop takes a run's input as its only argument: without `fromInput` its owner says so. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- no type can say it here: the owner does
function takesInput<Args extends unknown[]>(args: unknown[]): args is Args {
  return args.length === 1
}

interface Started<R> {
  /** Makes the call, for a run that is started as an agent's: with the signal of its run. */
  readonly callFor?: (signal: AbortSignal) => AdaptedCall<R> | undefined
  readonly call?: AdaptedCall<R>
  readonly runId?: string
  readonly base?: RunInput
  readonly taken?: PreparedRun
}

interface Running<R> {
  readonly run: AgentRun
  readonly call: AdaptedCall<R> | undefined
  readonly end: () => Driven<R>['value'] | undefined
}

function startRun<R>(
  { onEvent, onWarning }: Pick<AdaptLoopOptions<unknown, unknown[], unknown>, 'onEvent' | 'onWarning'>,
  settings: AdaptedSettings,
  runtime: Runtime,
  { call, callFor, runId = runtime.newId(), base, taken }: Started<R>,
): Running<R> {
  let end: Driven<R>['value'] | undefined
  const run = createRun({
    runId,
    runtime,
    onWarning,
    tail: taken?.tail ?? 0,
    ...defined({ shown: taken?.shown }),
    async drive(handle) {
      if (onEvent !== undefined) handle.observe(onEvent)
      const driven = await driveAdapted<R>({
        settings,
        handle,
        call: call ?? callFor?.(handle.signal),
        base,
        taken,
        ledger: createToolLedger(),
        progress: followProgress(handle),
      })
      end = driven.value
      return driven.result
    },
    crashed: (error) => emptyResult(runId, [], error),
  })
  return { run, call, end: () => end }
}

/**
 * Returns what the adapted function settles with: the legacy loop's own value or error, else what `fromResult` makes of
 * the result. It settles after the last event: a process that ends with its answer has then told everything.
 */
async function valueOf<R>({ run, call, end }: Running<R>): Promise<R> {
  const result = await run.result
  const value = end()
  if (value?.from === 'legacy') return value.value
  if (value?.from === 'thrown') throw value.error
  if (result.outcome === 'failed' && result.error !== undefined) throw result.error
  if (call === undefined) throw new TypeError('unreachable')
  return call.fromResult(result)
}

function asAgent<This, Args extends unknown[], R>(
  { fromInput }: AdaptLoopOptions<This, Args, R>,
  { agent }: AdaptedSettings,
  start: (given: Started<R>) => Running<R>,
  callFor: (input: RunInput, signal: AbortSignal) => AdaptedCall<R>,
): Agent {
  async function resume(runId: string, input?: ResumeInput): Promise<ResumeResult> {
    if (agent.takeOver === undefined) {
      refuse('agent', 'must have a journal for runs to be resumed')
    }
    const taken = await agent.takeOver(runId, input)
    if (taken.status !== 'taken') return taken
    const { prepared } = taken
    // What the caller's arguments were is not stored: only `fromInput` can make them again.
    const again = fromInput && ((signal: AbortSignal) => callFor(prepared.input, signal))
    const { run } = start({ runId, base: prepared.input, taken: prepared, ...(again && { callFor: again }) })
    return { status: 'resumed', run }
  }

  return {
    run(input) {
      readRunInput(input)
      const { runId } = input
      const id = runId === undefined ? {} : { runId }
      return start({ ...id, base: input, callFor: (signal) => callFor(input, signal) }).run
    },
    ...(agent.takeOver !== undefined && { resume }),
    ...(agent.retraction !== undefined && { retraction: agent.retraction }),
    toolNames: () => agent.toolNames?.() ?? [],
  }
}
