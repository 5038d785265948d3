import { defined } from '../kit/defined.ts'
import { asMillraceError, isMillraceError, MillraceError } from '../kit/errors.ts'
import type { Message } from '../protocol/messages.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import { decide } from '../run/decision.ts'
import type { FlagContext } from '../run/flag-client.ts'
import type { PreparedRun } from '../run/prepared-run.ts'
import { flagContext } from '../run/read-input.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { AdaptedCall } from './adapted-call.ts'
import { type AdaptedRun, type Driven, emptyResult } from './adapted-run.ts'
import { handOver } from './handover.ts'
import { callLegacy, silence } from './legacy-turn.ts'

/**
 * Drives a run of an adapted loop: records it, decides, and lets the agent, the legacy loop, or one after the other answer,
 * all on one handle. Rejects only for a defect.
 */
export async function driveAdapted<R>(run: AdaptedRun<R>): Promise<Driven<R>> {
  const { settings, handle, call, base } = run
  handle.attach(base?.callbacks, base?.signal)
  const wish = readWish(run)
  // What is to be stored is prepared first, so that the decision is stored with it.
  const early = settings.agent.durable ? await prepare(run, wish) : undefined
  const decision = early?.prepared?.decision ?? (await takeDecision(run, wish))
  const ways = { run, wish, early, streams: decision.mode === 'stream' }
  const way = await chooseWay(ways)
  switch (way.answers) {
    case 'nobody':
      return { result: emptyResult(handle.runId, [], way.error), value: { from: 'result' } }
    case 'agent': {
      const { prepared } = way
      const result = await driveAgent(handle, prepared, decision)
      const isOver = result.outcome !== 'failed' || call === undefined || prepared.legacy !== undefined
      return isOver ? { result, value: { from: 'result' } } : handOver(run, call, prepared.input, result)
    }
    case 'legacy': {
      const { prepared, input, isInstead } = way
      // A legacy loop that reports calls the callbacks itself: text would come twice.
      if (settings.legacyReports) silence(handle, input)
      else handle.attach(input?.callbacks, input?.signal)
      if (prepared?.decision === undefined) start(run, prepared, decision)
      if (isInstead)
        handle.emit({
          type: 'fallback',
          turn: 1,
          from: 'stream',
          to: 'legacy',
          reason: 'internal',
          stage: 'before_output',
        })
      const given: readonly Message[] = prepared?.messages ?? []
      return callLegacy({ run, call: way.call, soFar: emptyResult(handle.runId, given), begin: { retract: [] } })
    }
  }
}

/** Who answers a run, at least at first. */
type Way<R> =
  | { readonly answers: 'agent'; readonly prepared: PreparedRun }
  | {
      readonly answers: 'legacy'
      readonly call: AdaptedCall<R>
      readonly prepared: PreparedRun | undefined
      /** Whose callbacks are called. */
      readonly input: RunInput | undefined
      /** Whether the agent was to answer and could not even begin. */
      readonly isInstead: boolean
    }
  | { readonly answers: 'nobody'; readonly error: MillraceError }

interface Choice<R> {
  readonly run: AdaptedRun<R>
  readonly wish: Wish
  readonly early: Preparation | undefined
  readonly streams: boolean
}

async function chooseWay<R>({ run, wish, early, streams }: Choice<R>): Promise<Way<R>> {
  const { call, base, taken } = run
  // The run exists already: running it a second time could repeat its calls.
  if (early?.prepared !== undefined && isMillraceError(early.error, 'invalid_input')) {
    return { answers: 'nobody', error: early.error }
  }
  // What `toInput` says of callbacks is for the agent.
  if (!streams && call !== undefined && early?.prepared?.legacy === undefined) {
    return { answers: 'legacy', call, prepared: early?.prepared, input: base, isInstead: false }
  }
  const { prepared, input, error } = early ?? (await prepare(run, wish))
  if (error !== undefined && call !== undefined && taken === undefined) {
    return { answers: 'legacy', call, prepared, input, isInstead: true }
  }
  if (prepared !== undefined) return { answers: 'agent', prepared }
  return { answers: 'nobody', error: new MillraceError('internal', 'the run could not be prepared') }
}

/** What the caller's arguments say about a run, before it is decided. */
interface Wish {
  readonly context: FlagContext | undefined
  readonly streams: boolean | undefined
  readonly toolNames: readonly string[]
  /** Why one of them could not be read. */
  readonly failure?: MillraceError
}

function readWish<R>({ settings, call, base }: AdaptedRun<R>): Wish {
  let context = base?.user === undefined ? undefined : flagContext(base.user)
  try {
    context = call?.context() ?? context
    const { mode = 'auto' } = base ?? {}
    const streams = call?.useStreaming() ?? (mode === 'auto' ? undefined : mode === 'stream')
    return { context, streams, toolNames: settings.agent.toolNames?.() ?? [] }
  } catch (cause) {
    const failure = new MillraceError('flag_failed', 'the context of the decision could not be read', { cause })
    return { context, streams: undefined, toolNames: [], failure }
  }
}

/** The agent's run, as far as it could be made. */
interface Preparation {
  /** What the run is asked to do; undefined if `toInput` threw. */
  readonly input: RunInput | undefined
  /** Undefined if the agent refused the input. */
  readonly prepared: PreparedRun | undefined
  /** What failed, which is reported: with a prepared run, its recording. */
  readonly error?: MillraceError
}

/** Prepares the agent's run and starts to record it. Never rejects. */
async function prepare<R>(run: AdaptedRun<R>, wish: Wish): Promise<Preparation> {
  const { settings, handle, taken } = run
  let input: RunInput | undefined
  let prepared = taken
  try {
    input = taken?.input ?? readAsked(run, wish)
    if (prepared === undefined) {
      handle.attach(input.callbacks, input.signal)
      prepared = settings.agent.prepare(input)
    }
    if (prepared.open !== undefined) await handle.record(prepared.open)
    return { input, prepared }
  } catch (cause) {
    const error = asMillraceError(cause)
    handle.report(error)
    return { input, prepared, error }
  }
}

/** Returns what the run is asked to do. Throws what `toInput` does. */
function readAsked<R>({ settings, handle, call, base, ledger }: AdaptedRun<R>, { context, streams }: Wish): RunInput {
  const asked = call?.toInput() ?? base
  if (asked === undefined) throw new TypeError('unreachable')
  const { sessionId, owner, metadata, request, retraction, callbacks, signal } = base ?? {}
  return {
    ...asked,
    ...defined({ sessionId, owner, metadata, request, retraction, callbacks, signal }),
    ...defined({ flags: settings.flags, user: context }),
    // Kept with the run, for a process that takes it over before its decision is stored.
    mode: streams === undefined ? 'auto' : streams ? 'stream' : 'buffered',
    ledger,
    runId: handle.runId,
  }
}

async function takeDecision<R>({ settings, handle }: AdaptedRun<R>, wish: Wish): Promise<RunDecision> {
  const { context = {}, streams, toolNames, failure } = wish
  const decision = await decide({
    context,
    toolNames,
    clock: settings.clock,
    deadline: settings.flagDeadline,
    otherwise: 'legacy',
    withoutFlags: false,
    report: handle.report,
    ...(failure === undefined ? { flags: settings.flags, explicit: streams } : { flags: undefined, explicit: false }),
  })
  if (failure === undefined) return decision
  handle.report(failure)
  return { ...decision, reason: 'flag_error' }
}

function start<R>({ handle, base }: AdaptedRun<R>, prepared: PreparedRun | undefined, decision: RunDecision): void {
  const { sessionId }: Pick<RunInput, 'sessionId'> = prepared?.input ?? base ?? {}
  handle.emit({ type: 'run.started', ...defined({ sessionId }), decision })
}

async function driveAgent(handle: RunHandle, prepared: PreparedRun, decision: RunDecision): Promise<RunResult> {
  try {
    return await prepared.drive(handle, decision)
  } catch (cause) {
    return prepared.crashed(handle, asMillraceError(cause))
  }
}
