import { defined } from '../kit/defined.ts'
import { isRecord } from '../kit/guards.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { RetractionReason } from '../protocol/events.ts'
import { isPause, isToolUse, type ToolUseBlock } from '../protocol/messages.ts'
import { addUsage, noUsage } from '../protocol/usage.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import { assistantMessage, keptOfPartial, toolResult, userMessage, withoutRefused } from '../reduce/history.ts'
import type { RecoveredCalls } from '../tools/recovered-calls.ts'
import { type AnsweredCall, createToolRunner, type ToolRunner } from '../tools/tool-runner.ts'
import { fresh, type Next, type ResumePoint } from './resume-point.ts'
import type { LoopEnd, RunContext } from './run-context.ts'
import { withinLimit } from './time-limit.ts'
import { takeTurn } from './turn.ts'
import type { TurnResult } from './turn-result.ts'

/**
 * The loop: ask for a turn, run its calls, and again, until the model is done. There is no other: whether a turn streams is
 * a matter of `takeTurn`, and the result is the same.
 */
export async function runLoop(run: RunContext, from: ResumePoint): Promise<LoopEnd> {
  let next: Next = from
  while (!('outcome' in next)) next = await goOn(run, next)
  return next
}

async function goOn(run: RunContext, from: ResumePoint): Promise<Next> {
  const { handle, settings, state } = run
  if (from.type === 'committed') return from.goOn(run)
  if (state.turn >= settings.limits.turns) return { outcome: 'limit' }
  if (handle.signal.aborted || handle.isMoving()) return { outcome: 'interrupted' }
  const turn = ++state.turn
  const tools = toolsOfTurn(run, turn)
  const result = await withinLimit(run, 'turnTime', () => takeTurn(run, { turn, tools, from }))
  return commit(run, result)
}

/** Makes a turn part of history and does what it asks for. */
async function commit(run: RunContext, result: TurnResult): Promise<Next> {
  const { attempt, blocks } = result
  const { tools } = result.open
  switch (result.status) {
    case 'whole':
      return commitWhole(run, result)
    case 'continued':
      tools.discard([])
      await addTurn(run, result, blocks, null)
      return result.next
    case 'salvaged':
      await addTurn(run, result, blocks, null)
      return runCalls(run, attempt, blocks, tools)
    case 'interrupted': {
      const kept = keptOfPartial(blocks)
      const calls = callsOf(kept)
      tools.discard(calls)
      await addTurn(run, result, kept, null)
      addResults(run, await tools.run(calls, attempt))
      return { outcome: 'interrupted' }
    }
    case 'failed':
      return commitFailed(run, result)
  }
}

/** Keeps what a failure leaves of a turn. */
async function commitFailed(run: RunContext, result: Extract<TurnResult, { status: 'failed' }>): Promise<LoopEnd> {
  const committed = run.state.added.length
  const { blocks, error } = result
  const { tools, prompt } = result.open
  tools.discard([])
  // Calls that could be trusted have been salvaged; any other is better left out than answered as not run. Text that is
  // held back is not shown now: it can still be asked for elsewhere.
  const kept = run.retraction === 'hold' ? [] : blocks.filter(({ kind }) => kind !== 'tool_use')
  await addTurn(run, result, keptOfPartial(kept), null)
  const content = blocks.map(({ block }) => block)
  const repeatable = mayAskAgain(run.settings.recovery.retryAfterServerTools, content)
  const broken = {
    committed,
    ...(!repeatable && { repeatable }),
    ...(prompt.length > 0 && { continues: true as const }),
  }
  return { outcome: 'failed', error, broken }
}

/** Adds a whole turn, and goes on to what it leads to. */
async function commitWhole(run: RunContext, result: Extract<TurnResult, { status: 'whole' }>): Promise<Next> {
  const { blocks, attempt, open } = result
  const stopReason = result.message.stop_reason
  if (stopReason === 'refusal') return refuseTurn(run, result)
  // Keeps every block except a call whose JSON `max_tokens` cut.
  const usable =
    stopReason === 'tool_use' ? blocks : blocks.filter(({ kind, validInput }) => kind !== 'tool_use' || validInput)
  await addTurn(run, result, usable, stopReason)
  run.state.pauses = isPause(stopReason) ? run.state.pauses + 1 : 0
  return leadOn(run, stopReason, usable, attempt, open.tools)
}

/** Does what a turn that is part of history leads to, by its stop reason. */
export async function leadOn(
  run: RunContext,
  stopReason: string | null,
  blocks: readonly AccumulatedBlock[],
  attempt: number,
  tools: ToolRunner,
): Promise<Next> {
  const isPaused = isPause(stopReason)
  // A pause waits for no answer of ours, unless it left calls behind.
  if (stopReason === 'tool_use' || (isPaused && callsOf(blocks).length > 0))
    return runCalls(run, attempt, blocks, tools)
  if (isPaused) return run.state.pauses > run.settings.limits.pauses ? { outcome: 'limit' } : fresh
  // Any other end starts no tool: of a call that `max_tokens` cut, nobody knows what was still to come.
  tools.discard([])
  const why = `The call was not run: the turn ended with ${stopReason ?? 'no stop reason'}`
  addResults(run, tools.refuse(callsOf(blocks), why))
  const limited = stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded'
  return { outcome: limited ? 'limit' : 'completed' }
}

/** Leaves a refused turn out of history: with it there, the model would refuse again. */
async function refuseTurn(run: RunContext, result: TurnResult): Promise<LoopEnd> {
  const { shown, tools } = result.open
  const bound = run.retraction !== 'retract' && shown.hasText
  const kept = bound ? keptOfPartial(result.blocks).filter(({ kind }) => kind !== 'tool_use') : []
  tools.discard([])
  await addTurn(run, result, kept, 'refusal', 'refusal')
  return { outcome: 'refused' }
}

/** Shows a turn as it is kept, adds it to history, and makes that durable. */
async function addTurn(
  run: RunContext,
  { open: { turn, shown, prompt }, message, attempt, mode, status, reason = 'interrupted' }: TurnResult,
  kept: readonly AccumulatedBlock[],
  stopReason: string | null,
  why: RetractionReason = reason,
): Promise<void> {
  const { handle, state } = run
  // Blank text between cited text is shown and is not sent back: the API refuses it.
  const content = withoutRefused(kept).map(({ block }) => block)
  // First, so that history holds what was shown even if showing the rest fails. The prompt goes with what it led to:
  // history never ends with words that no user wrote.
  if (content.length > 0) state.added.push(...prompt, assistantMessage(content))
  shown.reconcile(kept, why)
  state.stopReason = stopReason
  state.container = containerOf(message) ?? state.container
  const usage = message?.usage ?? noUsage
  state.usage = addUsage(state.usage, usage)
  handle.emit({
    type: 'turn.finished',
    turn,
    attempt,
    mode,
    stopReason,
    usage,
    ...(status !== 'whole' && content.length > 0 && { salvaged: true }),
    ...defined({
      stopSequence: message?.stop_sequence ?? undefined,
      stopDetails: message?.['stop_details'] ?? undefined,
      container: state.container,
    }),
    content,
  })
  await handle.flush()
}

/** Runs the calls of a turn and answers them. */
export async function runCalls(
  run: RunContext,
  attempt: number,
  blocks: readonly AccumulatedBlock[],
  tools: ToolRunner,
): Promise<Next> {
  const calls = callsOf(blocks)
  const invalid = callsOf(blocks.filter(({ validInput }) => !validInput))
  tools.discard(calls)
  addResults(run, await tools.run(calls, attempt, invalid))
  if (tools.storeError !== undefined) return { outcome: 'failed', error: tools.storeError }
  return run.handle.signal.aborted ? { outcome: 'interrupted' } : fresh
}

export function toolsOfTurn(run: RunContext, turn: number, recovered?: RecoveredCalls): ToolRunner {
  const { handle, settings, scope, input } = run
  return createToolRunner({
    clock: settings.runtime.clock,
    limits: settings.limits,
    scope,
    middleware: settings.use,
    ledger: input.ledger,
    tools: settings.tools(),
    turn,
    emit: handle.emit,
    report: handle.report,
    flush: handle.flush,
    ...defined({ recovered }),
    hasBackpressure: () => handle.ready() !== undefined,
  })
}

export function callsOf(blocks: readonly AccumulatedBlock[]): readonly ToolUseBlock[] {
  return blocks.map(({ block }) => block).filter(isToolUse)
}

export function addResults(run: RunContext, answers: readonly AnsweredCall[]): void {
  if (answers.length === 0) return
  const results = answers.map(({ call, end }) => toolResult(call, end.result, end.outcome !== 'ok'))
  run.state.added.push(userMessage(results))
}

function containerOf(message: TurnResult['message']): string | undefined {
  const container = message?.['container']
  return isRecord(container) && typeof container['id'] === 'string' ? container['id'] : undefined
}
