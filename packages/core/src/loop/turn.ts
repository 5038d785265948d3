import { wait } from '../kit/clock.ts'
import { asMillraceError } from '../kit/errors.ts'
import type { FallbackReason } from '../protocol/events.ts'
import { reasonOf } from '../protocol/faults.ts'
import { settlePermit } from '../recovery/circuit-breaker.ts'
import {
  countFailure,
  isBound,
  type NextStep,
  nextStep,
  noFailures,
  type Request,
  type TurnFailures,
} from '../recovery/ladder.ts'
import { reserve } from '../recovery/retry-budget.ts'
import { userMessage } from '../reduce/history.ts'
import { isKilled } from '../run/decision.ts'
import type { ToolRunner } from '../tools/tool-runner.ts'
import { askModel, modeOf } from './ask-model.ts'
import type { AttemptEnd } from './attempt.ts'
import { emitFallback, type OpenTurn, saidWith } from './open-turn.ts'
import { type ResumePoint, saidBefore } from './resume-point.ts'
import type { RunContext } from './run-context.ts'
import { createShownTurn, type ShownTurn } from './shown-turn.ts'
import type { TurnResult } from './turn-result.ts'

/** A turn that is about to be taken. */
export interface TurnStart {
  readonly turn: number
  readonly tools: ToolRunner
  readonly from: ResumePoint
}

/** Asks the model for one turn, and again by the recovery ladder until it is there or all rungs are used up. */
export async function takeTurn(run: RunContext, start: TurnStart): Promise<TurnResult> {
  const { handle, retraction, settings, state, scope } = run
  const { turn, tools, from } = start
  const hold = retraction === 'hold'
  const canRetract = hold || retraction === 'retract'
  const before = from.type === 'reopened' ? from.shown : []
  const shown = createShownTurn({ turn, emit: handle.emit, canRetract, hold, shown: before })
  const said = saidBefore(from)
  const prompt = said === undefined ? [] : [userMessage([{ type: 'text', text: settings.recovery.continuePrompt }])]
  const open = { turn, tools, shown, said, prompt }
  try {
    return await climbLadder(run, open, from)
  } catch (cause) {
    // A budget or breaker of the operator, or a defect of ours. History keeps the text that is shown: a consumer that
    // cannot retract would otherwise be shown it a second time, by whatever answers next.
    const { attempt, texts: blocks } = shown
    const mode = state.staysBuffered ? 'buffered' : scope.decision.mode
    return { status: 'failed', error: asMillraceError(cause), open, attempt, mode, message: undefined, blocks }
  }
}

/** Makes attempts until the turn is there, or the ladder ends. */
async function climbLadder(run: RunContext, open: OpenTurn, from: ResumePoint): Promise<TurnResult> {
  const { handle, settings, state } = run
  const { turn, tools, shown } = open
  const { recovery, runtime } = settings
  const kept = from.type === 'reopened' ? from.keep(run, open) : undefined
  if (kept !== undefined) return kept

  const continued = from.type === 'continued' ? from : undefined
  let failures: TurnFailures = continued?.failures ?? noFailures
  if (continued === undefined) recovery.budget.request()
  else await wait(runtime.clock, continued.delay, handle.signal)
  const mayStream = continued === undefined || continued.request === 'stream'
  let request = mayStream ? await firstRequest(run, open) : continued.request
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
    const result = { open, attempt, mode }
    if (end.status === 'whole') return { ...end, ...result }
    const unfinished = { ...result, message: visible.message, blocks: visible.blocks }
    if (end.status === 'interrupted' || handle.signal.aborted) return { ...unfinished, status: 'interrupted' }

    failures = countFailure(failures, request, end.error)
    if (failures.streams >= 2) state.staysBuffered = true
    reason = reasonOf(end.error)
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

/** Returns how the turn is asked for first. */
async function firstRequest(run: RunContext, open: OpenTurn): Promise<Request> {
  const { settings, scope, state, flags, flagContext: context, handle } = run
  if (scope.decision.mode !== 'stream' || state.staysBuffered) return 'buffered'
  if (open.turn === 1) return 'stream'
  const { runtime, limits } = settings
  const asked = { flags, context, clock: runtime.clock, deadline: limits.flagDeadline, report: handle.report }
  if (!(await isKilled(asked))) return 'stream'
  state.staysBuffered = true
  emitFallback(run, open, 'stream', 'buffered', 'killed')
  return 'buffered'
}
