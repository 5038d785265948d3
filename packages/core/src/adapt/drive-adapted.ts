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
import type { AdaptedRun, Driven } from './adapted-run.ts'
import { handOver } from './handover.ts'
import {
  beginLegacyTurn,
  completedResult,
  emitLegacyText,
  readLegacyAnswer,
  silence,
  thrownResult,
} from './legacy-turn.ts'

/**
 * Drives a run of an adapted loop: records it, decides, and lets the agent, the legacy loop, or one after the other answer,
 * all on one handle. Rejects only for a defect.
 */
export async function driveAdapted<R>(run: AdaptedRun<R>): Promise<Driven<R>> {
  const { settings, handle, call, base } = run
  handle.attach(base?.callbacks, base?.signal)
  const wish = readWish(run)
  const asked = once(() => askedOf(run, wish))
  const preparing = once(() => run.taken ?? prepare(run, asked()))
  let prepared = run.taken
  let unrecorded: MillraceError | undefined
  if (settings.agent.durable) {
    prepared = preparing()
    unrecorded = await startRecording(handle, prepared)
    // The run exists already: running it a second time could repeat its calls.
    if (isMillraceError(unrecorded, 'invalid_input')) return failed(handle, unrecorded)
  }
  const decision = prepared?.decision ?? (await takeDecision(run, wish))
  const isTaken = prepared !== undefined && prepared === run.taken
  const legacyHadIt = prepared?.legacy !== undefined
  if (decision.mode !== 'stream' && call !== undefined && !legacyHadIt) {
    // Only the legacy loop answers: what `toInput` says of callbacks is not for it.
    if (settings.legacyReports) silence(handle, base)
    else handle.attach(base?.callbacks, base?.signal)
    if (prepared?.decision === undefined) start(run, prepared, decision)
    return driveLegacy(run, call, prepared?.messages ?? [])
  }
  prepared = preparing()
  if (call !== undefined && !isTaken && (prepared === undefined || unrecorded !== undefined)) {
    // A legacy loop that reports calls the callbacks itself: text would come twice.
    if (settings.legacyReports) silence(handle, asked())
    start(run, prepared, decision)
    handle.emit({ type: 'fallback', turn: 1, from: 'stream', to: 'legacy', reason: 'internal', stage: 'before_output' })
    return driveLegacy(run, call, prepared?.messages ?? [])
  }
  if (prepared === undefined) return failed(handle, new MillraceError('internal', 'the run could not be prepared'))
  if (isTaken) handle.attach(prepared.input.callbacks, prepared.input.signal)
  const result = await driveAgent(handle, prepared, decision)
  if (result.outcome !== 'failed' || call === undefined || legacyHadIt) return { result, value: { from: 'result' } }
  return handOver(run, call, prepared, result)
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

/** Returns what the run is asked to do; undefined if `toInput` threw, which is reported. */
function askedOf<R>({ settings, handle, call, base, ledger, taken }: AdaptedRun<R>, wish: Wish): RunInput | undefined {
  if (taken !== undefined) return taken.input
  try {
    const asked = call?.toInput() ?? base
    if (asked === undefined) return undefined
    const { sessionId, owner, metadata, request, retraction, callbacks, signal } = base ?? {}
    const fromBase = defined({ sessionId, owner, metadata, request, retraction, callbacks, signal })
    const { context, streams } = wish
    // Kept with the run, for a process that takes it over before its decision is stored.
    const mode = streams === undefined ? 'auto' : streams ? 'stream' : 'buffered'
    const ours = { mode, ledger, runId: handle.runId, ...defined({ flags: settings.flags, user: context }) } as const
    return { ...asked, ...fromBase, ...ours }
  } catch (cause) {
    handle.report(asMillraceError(cause))
    return undefined
  }
}

/** Calls `make` when it is first needed, and once. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Returns the agent's run; undefined if the agent refused the input, which is reported. */
function prepare<R>({ settings, handle }: AdaptedRun<R>, input: RunInput | undefined): PreparedRun | undefined {
  if (input === undefined) return undefined
  handle.attach(input.callbacks, input.signal)
  try {
    return settings.agent.prepare(input)
  } catch (cause) {
    handle.report(asMillraceError(cause))
    return undefined
  }
}

/** Starts to record the run. Returns why it cannot be recorded, which is reported; undefined if it is, or has no journal. */
async function startRecording(
  handle: RunHandle,
  prepared: PreparedRun | undefined,
): Promise<MillraceError | undefined> {
  if (prepared?.open === undefined) return undefined
  try {
    await handle.record(prepared.open)
    return undefined
  } catch (cause) {
    const error = asMillraceError(cause)
    handle.report(error)
    return error
  }
}

async function takeDecision<R>({ settings, handle }: AdaptedRun<R>, wish: Wish): Promise<RunDecision> {
  const { context = {}, streams, toolNames, failure } = wish
  const common = {
    context,
    toolNames,
    clock: settings.clock,
    deadline: settings.flagDeadline,
    otherwise: 'legacy',
    withoutFlags: false,
    report: handle.report,
  } as const
  if (failure === undefined) return decide({ ...common, flags: settings.flags, explicit: streams })
  handle.report(failure)
  const decision = await decide({ ...common, flags: undefined, context: {}, explicit: false })
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

/** Lets the legacy loop answer alone: with the caller's arguments and its own result, both untouched. */
async function driveLegacy<R>(
  { handle, ledger }: AdaptedRun<R>,
  call: AdaptedCall<R>,
  given: readonly Message[],
): Promise<Driven<R>> {
  const { runId, signal } = handle
  const handed = { runId, signal, messages: given, newMessages: [], ledger, error: undefined }
  try {
    await beginLegacyTurn(handle, 1)
  } catch (cause) {
    return failed(handle, asMillraceError(cause), given)
  }
  try {
    const value = await call.legacy()
    const answer = readLegacyAnswer(call, value, handed, handle)
    emitLegacyText(handle, 1, answer)
    const { messages: added, text, usage } = answer
    return { result: completedResult(runId, { given, added, text, usage }), value: { from: 'legacy', value } }
  } catch (error) {
    const empty = completedResult(runId, { given, added: [], text: '' })
    const result = thrownResult(empty, 'the legacy loop failed', error, [signal, ...call.args])
    return { result, value: { from: 'thrown', error } }
  }
}

function failed<R>(handle: RunHandle, error: MillraceError, given: readonly Message[] = []): Driven<R> {
  const empty = completedResult(handle.runId, { given, added: [], text: '' })
  return { result: { ...empty, outcome: 'failed', error }, value: { from: 'result' } }
}
