import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { type AttemptEnd, runAttempt } from './attempt.ts'
import { isKilled } from '../run/decision.ts'
import { asMillraceError, type MillraceError } from '../kit/errors.ts'
import type { FallbackReason, RetractionReason, Rung, TurnMode } from '../protocol/events.ts'
import { keptOfPartial } from '../reduce/history.ts'
import type { AssistantMessage } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import type { TurnEnd, TurnScope } from '../run/middleware.ts'
import { compose } from '../run/compose.ts'
import type { CircuitPermit } from '../recovery/circuit-breaker.ts'
import { isFaultCode, isStreamFault } from '../protocol/faults.ts'
import {
  cannotRetract,
  nextStep,
  outcomeUnknown,
  type NextStep,
  type Request,
  type TurnFailures,
} from '../recovery/ladder.ts'
import { reserve } from '../recovery/retry-budget.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import { buildRequest } from './build-request.ts'
import type { RunContext } from './run-context.ts'
import type { ReopenedTurn } from './run-state.ts'
import { wait } from '../kit/clock.ts'
import { bufferedSource, collectedSource } from '../model/buffered-source.ts'
import { streamSource } from '../model/stream-source.ts'
import type { TurnSource } from '../model/turn-source.ts'
import type { ToolRunner } from '../tools/tool-runner.ts'
import { createTurnView, type TurnView } from './turn-view.ts'

/** What came of a turn, over all its attempts. */
export type TurnResult = {
  readonly attempt: number
  readonly mode: TurnMode
  readonly view: TurnView
  readonly message: AssistantMessage | undefined
  /** What arrived; of a salvaged or continued turn, what is kept of it. */
  readonly blocks: readonly AccumulatedBlock[]
  /** What broke it. */
  readonly reason?: RetractionReason
} & (
  | { readonly status: 'whole'; readonly message: AssistantMessage }
  | { readonly status: 'salvaged' }
  | { readonly status: 'continued' }
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: MillraceError }
)

const sources: Readonly<Record<Request, (run: RunContext) => TurnSource>> = {
  stream: ({ settings: { client, runtime, recovery } }) =>
    streamSource({ client, clock: runtime.clock, limits: recovery }),
  buffered: ({ settings: { client, runtime, recovery } }) =>
    bufferedSource({ client, clock: runtime.clock, timeout: recovery.bufferedTimeout }),
  collected: (run) => collectedSource(sources.stream(run)),
}

const modeOf = (request: Request): TurnMode => (request === 'stream' ? 'stream' : 'buffered')

/** Asks the model for one turn, and again by the recovery ladder until it is there or all rungs are used up. */
export async function takeTurn(run: RunContext, turn: number, tools: ToolRunner): Promise<TurnResult> {
  const { handle, retraction, state } = run
  const hold = retraction === 'hold'
  const canRetract = hold || retraction === 'retract'
  const view = createTurnView({ turn, emit: handle.emit, canRetract, hold, shown: state.reopened?.shown })
  try {
    return await climbLadder(run, turn, tools, view)
  } catch (cause) {
    // A budget or breaker of the operator, or a defect of ours. History keeps the text that is shown: a consumer that
    // cannot retract would otherwise be shown it a second time, by whatever answers next.
    const { attempt, texts: blocks } = view
    const mode = state.staysBuffered ? 'buffered' : run.scope.decision.mode
    return { status: 'failed', error: asMillraceError(cause), attempt, mode, view, message: undefined, blocks }
  }
}

/** Makes attempts until the turn is there, or the ladder ends. */
async function climbLadder(run: RunContext, turn: number, tools: ToolRunner, view: TurnView): Promise<TurnResult> {
  const { handle, settings, state } = run
  const { recovery, runtime } = settings
  const { continuation: carried, reopened } = state
  state.continuation = undefined
  state.reopened = undefined

  const kept = reopened && keepReopened(run, turn, view, reopened)
  if (kept !== undefined) return kept

  let failures: TurnFailures = carried?.failures ?? { streams: 0, buffered: 0, empty: 0 }
  if (carried === undefined) recovery.budget.request()
  else await wait(runtime.clock, carried.delay, handle.signal)
  const mayStream = carried === undefined || carried.request === 'stream'
  let request = mayStream ? await firstRequest(run, turn) : carried.request
  let reason: FallbackReason = 'connection_lost'
  let shown: AttemptEnd | undefined

  for (let attempt = (reopened?.attempt ?? 0) + 1; ; attempt++) {
    const permit = request === 'stream' ? recovery.breaker.permit() : undefined
    if (request === 'stream' && permit === undefined) {
      request = 'buffered'
      emitFallback(run, turn, view, 'stream', 'buffered', 'circuit_open')
    }
    const mode = modeOf(request)
    handle.emit({ type: 'turn.started', turn, attempt, mode })
    view.begin(attempt, reason)
    const end = await ask(run, { turn, attempt, request, view, tools })
    tellBreaker(permit, end)
    // What clients see is this attempt, unless it had only repeated the one before when it ended.
    if (shown === undefined || !view.repeating) shown = end
    const result = { attempt, mode, view }
    if (end.status === 'whole') return { ...end, ...result }
    const unfinished = { ...result, message: shown.message, blocks: shown.blocks }
    if (end.status === 'interrupted' || handle.signal.aborted) return { ...unfinished, status: 'interrupted' }

    failures = countFailure(failures, request, end.error)
    if (failures.streams >= 2) state.staysBuffered = true
    reason = isFaultCode(end.error.code) ? end.error.code : 'internal'
    const step = decideNext(run, end, request, failures, view)
    if (step.type === 'fail') return { ...unfinished, reason, status: 'failed', error: step.error }
    const delay = step.type === 'salvage' ? 0 : reserve(recovery.budget, step.delay, step.isRescue)
    if (delay === undefined) return { ...unfinished, reason, status: 'failed', error: end.error }
    emitFallback(run, turn, view, mode, step.type === 'retry' ? modeOf(step.request) : step.type, reason)
    handle.report(end.error)
    if (step.type === 'salvage')
      return { ...result, reason, status: 'salvaged', message: end.message, blocks: step.blocks }
    state.extraRequests += 1
    if (step.type === 'continue') {
      state.continuation = { failures, request: step.request, delay }
      return { ...result, reason, status: 'continued', message: end.message, blocks: step.blocks }
    }
    tools.discard([])
    request = step.request
    await wait(runtime.clock, delay, handle.signal)
    if (handle.signal.aborted) return { ...unfinished, status: 'interrupted' }
  }
}

/** What stands of a turn whose process died, where it must not be asked again from its start. */
function keepReopened(
  run: RunContext,
  turn: number,
  view: TurnView,
  { attempt, blocks }: ReopenedTurn,
): TurnResult | undefined {
  const { retraction, settings } = run
  const reason = 'connection_lost'
  const content = blocks.map(({ block }) => block)
  const repeatable = mayAskAgain(settings.recovery.retryAfterServerTools, content)
  if (repeatable && !(isBound(retraction) && view.hasText)) return undefined
  const result = { attempt, mode: 'stream', view, message: undefined, reason } as const
  view.begin(attempt, reason)
  if (!repeatable || retraction === 'fail') {
    return { ...result, blocks, status: 'failed', error: repeatable ? cannotRetract() : outcomeUnknown() }
  }
  emitFallback(run, turn, view, 'stream', 'continue', reason)
  return { ...result, blocks: keptOfPartial(blocks), status: 'continued' }
}

/** Whether shown text stays, come what may. */
function isBound(retraction: RunContext['retraction']): boolean {
  return retraction === 'continue' || retraction === 'fail'
}

function decideNext(
  { settings: { recovery, runtime }, state, retraction }: RunContext,
  { error, blocks }: Extract<AttemptEnd, { status: 'broken' }>,
  request: Request,
  failures: TurnFailures,
  view: TurnView,
): NextStep {
  const bound = isBound(retraction)
  const broken = {
    error,
    request,
    blocks,
    failures,
    boundByText: bound && view.hasText,
    mayContinue: retraction === 'continue',
    keepPartialText: bound,
    extraRequests: recovery.extraRequests - state.extraRequests,
    hasRoom: recovery.budget.left >= 1,
  }
  return nextStep(broken, recovery, runtime.random)
}

function emitFallback(
  { handle }: RunContext,
  turn: number,
  view: TurnView,
  from: TurnMode,
  to: Rung,
  reason: FallbackReason,
): void {
  const stage = view.hasOutput ? 'after_output' : 'before_output'
  handle.emit({ type: 'fallback', turn, from, to, reason, stage })
}

/** How the turn is asked for first. */
async function firstRequest(run: RunContext, turn: number): Promise<Request> {
  const { settings, scope, state, flags, flagContext, handle } = run
  if (scope.decision.mode !== 'stream' || state.staysBuffered) return 'buffered'
  if (turn === 1) return 'stream'
  const { clock } = settings.runtime
  const deadline = settings.limits.flagDeadline
  if (!(await isKilled({ flags, context: flagContext, clock, deadline, report: handle.report }))) return 'stream'
  state.staysBuffered = true
  handle.emit({ type: 'fallback', turn, from: 'stream', to: 'buffered', reason: 'killed', stage: 'before_output' })
  return 'buffered'
}

interface Ask {
  readonly turn: number
  readonly attempt: number
  readonly request: Request
  readonly view: TurnView
  readonly tools: ToolRunner
}

/** Makes one request, inside the middleware. */
async function ask(run: RunContext, { turn, attempt, request, view, tools }: Ask): Promise<AttemptEnd> {
  const { settings, scope, handle } = run
  const first: TurnScope = { ...scope, turn, attempt, mode: modeOf(request), request: buildRequest(run, tools.tools) }
  let end: AttemptEnd | undefined
  await compose(settings.use, first, {
    scope,
    layerOf: ({ turn: around }) => around,
    clock: settings.runtime.clock,
    grace: settings.limits.middlewareGrace,
    report: handle.report,
    accept: (given, called): given is TurnEnd => called && isRecord(given) && typeof given['status'] === 'string',
    core: async (changed): Promise<TurnEnd> => {
      end = await runAttempt({
        source: sources[request](run),
        request: changed.request,
        history: [...run.state.given, ...run.state.added],
        signal: handle.signal,
        ready: handle.ready,
        onDrain: handle.defer,
        view,
        batch: handle.batch,
        onCall: (call) => {
          if (settings.eagerTools) tools.startEarly(call, attempt)
        },
        // Asking again without streaming gives a parsed input; only where that was not possible is the model told.
        acceptsInvalidInput: ({ block: { name } }) =>
          request === 'collected' ||
          (typeof name === 'string' && tools.tools.get(name)?.definition['eager_input_streaming'] === true),
      })
      return end
    },
  })
  if (end === undefined) throw new TypeError('unreachable')
  return end
}

function tellBreaker(permit: CircuitPermit | undefined, end: AttemptEnd): void {
  if (end.status === 'whole') permit?.succeeded()
  else if (end.status === 'broken' && isStreamFault(end.error)) permit?.failed()
  else permit?.released()
}

function countFailure(
  { streams, buffered, empty }: TurnFailures,
  request: Request,
  error: MillraceError,
): TurnFailures {
  return {
    streams: request === 'stream' ? streams + 1 : streams,
    buffered: request === 'stream' ? buffered : buffered + 1,
    empty: error.code === 'empty_answer' ? empty + 1 : empty,
  }
}
