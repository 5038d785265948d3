import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { askModel, modeOf } from './ask-model.ts'
import type { AttemptEnd } from './attempt.ts'
import { type OpenTurn, saidWith, type TurnStart } from './open-turn.ts'
import { isKilled } from '../run/decision.ts'
import { asMillraceError, type MillraceError } from '../kit/errors.ts'
import type { FallbackReason, RetractionReason, Rung, TurnMode } from '../protocol/events.ts'
import { keptOfPartial, userMessage } from '../reduce/history.ts'
import type { AssistantMessage, Message } from '../protocol/messages.ts'
import { settlePermit } from '../recovery/circuit-breaker.ts'
import { isFaultCode } from '../protocol/faults.ts'
import {
  cannotRetract,
  countFailure,
  nextStep,
  noFailures,
  outcomeUnknown,
  type NextStep,
  type Request,
  type TurnFailures,
} from '../recovery/ladder.ts'
import { reserve } from '../recovery/retry-budget.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import type { RunContext } from './run-context.ts'
import { wait } from '../kit/clock.ts'
import { type ContinuedTurn, type ReopenedTurn, saidBefore } from './resume-point.ts'
import { createShownTurn, type ShownTurn } from './shown-turn.ts'

/** What came of a turn, over all its attempts. */
export type TurnResult = {
  readonly attempt: number
  readonly mode: TurnMode
  readonly shown: ShownTurn
  /** What the model was asked with besides the history: the prompt to go on, if the turn goes on with a broken answer. */
  readonly prompt: readonly Message[]
  readonly message: AssistantMessage | undefined
  /** What arrived; of a salvaged or continued turn, what is kept of it. */
  readonly blocks: readonly AccumulatedBlock[]
  /** What broke it. */
  readonly reason?: RetractionReason
} & (
  | { readonly status: 'whole'; readonly message: AssistantMessage }
  | { readonly status: 'salvaged' }
  | { readonly status: 'continued'; readonly next: ContinuedTurn }
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: MillraceError }
)

/** Asks the model for one turn, and again by the recovery ladder until it is there or all rungs are used up. */
export async function takeTurn(run: RunContext, start: TurnStart): Promise<TurnResult> {
  const { handle, retraction, settings, state, scope } = run
  const { turn, from } = start
  const hold = retraction === 'hold'
  const canRetract = hold || retraction === 'retract'
  const before = from.type === 'reopened' ? from.shown : []
  const shown = createShownTurn({ turn, emit: handle.emit, canRetract, hold, shown: before })
  const said = saidBefore(from)
  const prompt = said === undefined ? [] : [userMessage([{ type: 'text', text: settings.recovery.continuePrompt }])]
  try {
    return await climbLadder(run, { ...start, shown, said, prompt })
  } catch (cause) {
    // A budget or breaker of the operator, or a defect of ours. History keeps the text that is shown: a consumer that
    // cannot retract would otherwise be shown it a second time, by whatever answers next.
    const { attempt, texts: blocks } = shown
    const mode = state.staysBuffered ? 'buffered' : scope.decision.mode
    return { status: 'failed', error: asMillraceError(cause), attempt, mode, shown, prompt, message: undefined, blocks }
  }
}

/** Makes attempts until the turn is there, or the ladder ends. */
async function climbLadder(run: RunContext, open: OpenTurn): Promise<TurnResult> {
  const { handle, settings, state } = run
  const { turn, tools, from, shown, prompt } = open
  const { recovery, runtime } = settings
  const kept = from.type === 'reopened' ? keepReopened(run, open, from) : undefined
  if (kept !== undefined) return kept

  const continued = from.type === 'continued' ? from : undefined
  let failures: TurnFailures = continued?.failures ?? noFailures
  if (continued === undefined) recovery.budget.request()
  else await wait(runtime.clock, continued.delay, handle.signal)
  const mayStream = continued === undefined || continued.request === 'stream'
  let request = mayStream ? await firstRequest(run, turn) : continued.request
  let reason: FallbackReason = 'connection_lost'
  let visible: AttemptEnd | undefined

  for (let attempt = from.type === 'reopened' ? from.attempt + 1 : 1; ; attempt++) {
    const permit = request === 'stream' ? recovery.breaker.permit() : undefined
    if (request === 'stream' && permit === undefined) {
      request = 'buffered'
      emitFallback(run, open, 'stream', 'buffered', 'circuit_open')
    }
    const mode = modeOf(request)
    handle.emit({ type: 'turn.started', turn, attempt, mode })
    shown.begin(attempt, reason)
    const end = await askModel(run, open, attempt, request)
    settlePermit(permit, end)
    // What consumers see is this attempt, unless it had only repeated the one before when it ended.
    if (visible === undefined || !shown.repeating) visible = end
    const result = { attempt, mode, shown, prompt }
    if (end.status === 'whole') return { ...end, ...result }
    const unfinished = { ...result, message: visible.message, blocks: visible.blocks }
    if (end.status === 'interrupted' || handle.signal.aborted) return { ...unfinished, status: 'interrupted' }

    failures = countFailure(failures, request, end.error)
    if (failures.streams >= 2) state.staysBuffered = true
    reason = isFaultCode(end.error.code) ? end.error.code : 'internal'
    const step = decideNext(run, shown, end, request, failures)
    if (step.type === 'fail') return { ...unfinished, reason, status: 'failed', error: step.error }
    const delay = step.type === 'salvage' ? 0 : reserve(recovery.budget, step.delay, step.isRescue)
    if (delay === undefined) return { ...unfinished, reason, status: 'failed', error: end.error }
    emitFallback(run, open, mode, step.type === 'retry' ? modeOf(step.request) : step.type, reason)
    handle.report(end.error)
    const broken = { ...result, reason, message: end.message }
    if (step.type === 'salvage') return { ...broken, status: 'salvaged', blocks: step.blocks }
    state.extraRequests += 1
    if (step.type === 'continue') {
      const { blocks, request: nextRequest } = step
      const next = { type: 'continued', said: saidWith(open, blocks), failures, request: nextRequest, delay } as const
      return { ...broken, status: 'continued', blocks, next }
    }
    tools.discard([])
    request = step.request
    await wait(runtime.clock, delay, handle.signal)
    if (handle.signal.aborted) return { ...unfinished, status: 'interrupted' }
  }
}

/** Keeps what is there of a turn whose process died, if it must not be asked again from its start. */
function keepReopened(
  run: RunContext,
  open: OpenTurn,
  { attempt, blocks: arrived }: ReopenedTurn,
): TurnResult | undefined {
  const { retraction, settings } = run
  const { shown, prompt } = open
  const reason = 'connection_lost'
  const content = arrived.map(({ block }) => block)
  const repeatable = mayAskAgain(settings.recovery.retryAfterServerTools, content)
  if (repeatable && !(isBound(retraction) && shown.hasText)) return undefined
  const result = { attempt, mode: 'stream', shown, prompt, message: undefined, reason } as const
  shown.begin(attempt, reason)
  if (!repeatable || retraction === 'fail') {
    return { ...result, blocks: arrived, status: 'failed', error: repeatable ? cannotRetract() : outcomeUnknown() }
  }
  emitFallback(run, open, 'stream', 'continue', reason)
  const blocks = keptOfPartial(arrived)
  const said = saidWith(open, blocks)
  const next = { type: 'continued', said, failures: noFailures, request: 'stream', delay: 0 } as const
  return { ...result, blocks, status: 'continued', next }
}

/** Whether shown text stays, come what may. */
function isBound(retraction: RunContext['retraction']): boolean {
  return retraction === 'continue' || retraction === 'fail'
}

function decideNext(
  { settings: { recovery, runtime }, state, retraction }: RunContext,
  shown: ShownTurn,
  { error, blocks }: Extract<AttemptEnd, { status: 'broken' }>,
  request: Request,
  failures: TurnFailures,
): NextStep {
  const bound = isBound(retraction)
  const broken = {
    error,
    request,
    blocks,
    failures,
    boundByText: bound && shown.hasText,
    mayContinue: retraction === 'continue',
    keepPartialText: bound,
    extraRequests: recovery.extraRequests - state.extraRequests,
    hasRoom: recovery.budget.left >= 1,
  }
  return nextStep(broken, recovery, runtime.random)
}

function emitFallback(
  { handle }: RunContext,
  { turn, shown }: OpenTurn,
  from: TurnMode,
  to: Rung,
  reason: FallbackReason,
): void {
  const stage = shown.hasOutput ? 'after_output' : 'before_output'
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
