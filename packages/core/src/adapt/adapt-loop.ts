import { defined } from '../kit/defined.ts'
import { lacksRetract } from '../run/callbacks.ts'
import { createRun, type RunHandle } from '../run/create-run.ts'
import { decide } from '../run/decision.ts'
import { asMillraceError, MillraceError } from '../kit/errors.ts'
import type { AgentEvent, EventBody } from '../protocol/events.ts'
import type { FlagContext } from '../run/flag-client.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import { readRuntime } from '../kit/read-runtime.ts'
import type { AgentRun, RunInput, RunResult } from '../run/run.ts'
import type { Runtime } from '../kit/clock.ts'
import { createToolLedger } from '../tools/ledger.ts'
import { type AdaptLoopOptions, checkAdaptOptions } from './adapt-options.ts'
import { handOver } from './hand-over.ts'
import {
  completedResult,
  type Driven,
  emitLegacyText,
  failedResult,
  legacyAnswer,
  type Relayed,
  type Settlement,
  silence,
  thrownResult,
} from './legacy-run.ts'

/**
 * `Args`, and no place to infer it from: a callback that leaves an argument out does not take it from the loop's callers.
 */
type AsIs<Args extends unknown[]> = [Args] extends [infer Same extends unknown[] | []] ? Same : never

/** Stands wherever the legacy function stood, and also gives events. */
export interface AdaptedLoop<This, Args extends unknown[], R> {
  (this: This, ...args: Args): Promise<R>
  /** The same as a run with events. For a method, `loop.run.call(instance, ...args)`. Its `result` never rejects. */
  run(...args: Args): AgentRun
}

/**
 * Wraps a loop that runs in production, without a change for its callers. By flag, runs go through `agent` and stream; a
 * run that fails there for any reason but an abort, an interrupt, a limit or a refusal is finished by `legacy`.
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
  const loop = function (this: This, ...args: Args): Promise<R> {
    return start(options, runtime, this, args).value
  }
  const run = function (this: This | typeof loop, ...args: Args): AgentRun {
    const started = start(options, runtime, thisOf(this), args)
    // Who only looks at the run is told by its result.
    started.value.catch(() => {})
    return started.run
  }
  /** Called as `loop.run(…)`, `this` is the function itself, which the legacy loop must not see. */
  function thisOf(given: This | typeof loop): This
  function thisOf(given: unknown): unknown {
    return given === loop ? undefined : given
  }
  return Object.assign(loop, { run })
}

interface Started<R> {
  readonly run: AgentRun
  /** Rejects with what the legacy loop threw, or with the run's error. */
  readonly value: Promise<R>
}

function start<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
  runtime: Runtime,
  self: This,
  args: Args,
): Started<R> {
  const runId = runtime.newId()
  let end: Settlement<R> | undefined
  const run = createRun({
    runId,
    runtime,
    onWarning: options.onWarning,
    async drive(handle) {
      if (options.onEvent !== undefined) handle.observe(options.onEvent)
      const driven = await drive(options, runtime, self, args, handle)
      end = driven.end
      return driven.result
    },
    crashed(error) {
      end = { error }
      return failedResult(runId, error)
    },
  })
  // After the last event: a process that ends with its answer has then told all that it had to tell.
  const value = new Promise<R>((resolve, reject) => {
    void run.result.then(() => {
      if (end !== undefined && 'value' in end) resolve(end.value)
      else reject(end?.error)
    })
  })
  return { run, value }
}

async function drive<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
  runtime: Runtime,
  self: This,
  args: Args,
  handle: RunHandle,
): Promise<Driven<R>> {
  const { decision, context } = await takeDecision(options, runtime, self, args, handle)
  if (decision.mode !== 'stream') {
    handle.emit({ type: 'run.started', decision })
    return driveLegacy(options, self, args, handle)
  }

  const ledger = createToolLedger()
  const { agent, toInput } = options
  let input: RunInput | undefined
  let inner: AgentRun
  try {
    input = toInput.apply(self, args)
    handle.attach(input.callbacks, input.signal)
    inner = agent.run({
      ...input,
      // They are called here; there, only what they can do counts.
      callbacks: lacksRetract(input.callbacks) ? { onText() {} } : {},
      signal: handle.signal,
      mode: 'stream',
      decision,
      ledger,
      runId: handle.runId,
      ...defined({ flags: options.flags, user: context }),
    })
  } catch (cause) {
    handle.report(asMillraceError(cause))
    // The legacy loop calls them itself: text would come twice.
    if (options.legacyReports === true) silence(handle, input)
    handle.emit({ type: 'run.started', decision })
    handle.emit({ type: 'fallback', turn: 1, from: 'stream', to: 'legacy', reason: 'internal', stage: 'before_output' })
    return driveLegacy(options, self, args, handle)
  }
  handle.emit({ type: 'run.started', ...defined({ sessionId: input.sessionId }), decision })
  const relayed = await relay(inner, handle)
  const result = await inner.result
  if (result.outcome !== 'failed') return { result, end: await fromResult(options, self, args, result) }
  return handOver({ options, self, args, handle, input, result, ledger, relayed })
}

/** Passes the events of the inner run on, all but its own beginning and end. */
async function relay(inner: AgentRun, handle: RunHandle): Promise<Relayed> {
  const shown = new Map<number, boolean>()
  let lastMode: Relayed['lastMode'] = 'stream'
  let finished = 0
  for await (const event of inner) {
    if (event.type === 'run.started' || event.type === 'run.finished') continue
    if (event.type === 'turn.started') lastMode = event.mode
    if (event.type === 'turn.finished') finished = event.turn
    if (event.type === 'block.started') shown.set(event.turn, shown.get(event.turn) === true || event.kind === 'text')
    if (event.type === 'turn.retracted' && event.fromBlock === 0 && event.fromOffset === 0) shown.delete(event.turn)
    handle.emit(bodyOf(event))
    await handle.ready()
  }
  return { shown, lastMode, finished }
}

function bodyOf(event: AgentEvent): EventBody {
  const { seq: _, runId: __, at: ___, ...body } = event
  return body
}

async function takeDecision<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
  { clock }: Runtime,
  self: This,
  args: Args,
  handle: RunHandle,
): Promise<{ readonly decision: RunDecision; readonly context: FlagContext | undefined }> {
  const { flags, agent, flagDeadline = 50 } = options
  const common = {
    clock,
    deadline: flagDeadline,
    otherwise: 'legacy',
    withoutFlags: false,
    report: handle.report,
  } as const
  let context: FlagContext | undefined
  let explicit: boolean | undefined
  let toolNames: readonly string[] = []
  try {
    context = options.context?.apply(self, args)
    explicit = options.useStreaming?.apply(self, args)
    toolNames = agent.toolNames?.() ?? []
  } catch (cause) {
    handle.report(new MillraceError('flag_failed', 'The context of the decision could not be read', { cause }))
    const decision = await decide({ ...common, flags: undefined, context: {}, explicit: false, toolNames })
    return { decision: { ...decision, reason: 'flag_error' }, context }
  }
  return { decision: await decide({ ...common, flags, context: context ?? {}, explicit, toolNames }), context }
}

/** The legacy loop alone, with the caller's arguments and its own result, both untouched. */
async function driveLegacy<This, Args extends unknown[], R>(
  { legacy, handover }: AdaptLoopOptions<This, Args, R>,
  self: This,
  args: Args,
  handle: RunHandle,
): Promise<Driven<R>> {
  handle.emit({ type: 'turn.started', turn: 1, attempt: 1, mode: 'legacy' })
  try {
    const value = await legacy.apply(self, args)
    const { runId, signal } = handle
    const handed = { runId, signal, messages: [], newMessages: [], ledger: createToolLedger(), error: undefined }
    const { text } = legacyAnswer(handover, self, args, value, handed, handle)
    emitLegacyText(handle, 1, text)
    return { result: completedResult(runId, [], [], text), end: { value } }
  } catch (error) {
    const empty = completedResult(handle.runId, [], [], '')
    return { result: thrownResult(empty, 'The legacy loop failed', error, [handle.signal, ...args]), end: { error } }
  }
}

async function fromResult<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
  self: This,
  args: Args,
  result: RunResult,
): Promise<Settlement<R>> {
  try {
    return { value: await options.fromResult.apply(self, [result, ...args]) }
  } catch (error) {
    return { error }
  }
}
