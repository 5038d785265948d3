import { defined } from '../kit/defined.ts'
import { assistantMessage, asWhole, keptOfPartial, toolResult, userMessage, withoutRefused } from '../reduce/history.ts'
import { addUsage, noUsage } from '../protocol/usage.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { RetractionReason } from '../protocol/events.ts'
import { isPause, isToolUse, type ToolUseBlock } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import type { LoopEnd, RunContext } from './run-context.ts'
import type { PendingTurn } from './rebuilt-run.ts'
import type { RecoveredCalls } from '../tools/recovered-calls.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import { notRun } from '../tools/executor.ts'
import { type AnsweredCall, createToolRunner, type ToolRunner } from '../tools/tool-runner.ts'
import { takeTurn, type TurnResult } from './turn.ts'

/**
 * The loop: ask for a turn, run its calls, and again, until the model is done. The only one: streaming or not is a
 * matter of `takeTurn`, and both come here with the same result.
 */
export async function runLoop(run: RunContext): Promise<LoopEnd> {
  const { handle, settings, state, pending } = run
  if (pending !== undefined) {
    const end = await takeUp(run, pending)
    if (end !== undefined) return end
  }
  while (state.turn < settings.limits.turns) {
    if (handle.signal.aborted) return { outcome: 'interrupted' }
    const turn = ++state.turn
    const tools = toolsOfTurn(run, turn)
    const result = await takeTurn(run, turn, tools)
    const end = await commit(run, turn, result, tools)
    if (end !== undefined) return end
  }
  return { outcome: 'limit' }
}

/** Makes a turn part of history and does what it asks for. Undefined where the loop goes on. */
async function commit(
  run: RunContext,
  turn: number,
  result: TurnResult,
  tools: ToolRunner,
): Promise<LoopEnd | undefined> {
  if (result.status === 'whole') return commitWhole(run, turn, result, tools)
  if (result.status === 'continued') return commitContinued(run, turn, result, tools)
  if (result.status !== 'salvaged') return commitPartial(run, turn, result, tools)
  await addTurn(run, turn, result, result.blocks, null)
  return runCalls(run, result.attempt, result.blocks, tools)
}

/** Keeps what was shown of a broken answer, and asks the model to go on where it stopped. */
async function commitContinued(
  run: RunContext,
  turn: number,
  result: TurnResult,
  tools: ToolRunner,
): Promise<undefined> {
  tools.discard([])
  await addTurn(run, turn, result, result.blocks, null)
  run.state.added.push(userMessage([{ type: 'text', text: run.settings.recovery.continuePrompt }]))
}

/** Keeps what an interrupt or a failure leaves of a turn. */
async function commitPartial(
  run: RunContext,
  turn: number,
  result: Extract<TurnResult, { status: 'interrupted' | 'failed' }>,
  tools: ToolRunner,
): Promise<LoopEnd> {
  const committed = run.state.added.length
  if (result.status === 'failed') {
    tools.discard([])
    // Calls that could be trusted have been salvaged; any other is better not there than answered as not run. What is
    // held back is not shown now: it can still be asked for elsewhere.
    const kept = run.retraction === 'hold' ? [] : result.blocks.filter(({ kind }) => kind !== 'tool_use')
    await addTurn(run, turn, result, keptOfPartial(kept), null)
    const { retryAfterServerTools } = run.settings.recovery
    const repeatable = mayAskAgain(
      retryAfterServerTools,
      result.blocks.map(({ block }) => block),
    )
    return { outcome: 'failed', error: result.error, broken: { committed, ...(!repeatable && { repeatable }) } }
  }
  const kept = keptOfPartial(result.blocks)
  const calls = callsOf(kept)
  tools.discard(calls)
  await addTurn(run, turn, result, kept, null)
  addResults(run, await tools.run(calls, result.attempt))
  return { outcome: 'interrupted' }
}

/** Adds a whole turn, and goes on to what it leads to. */
async function commitWhole(
  run: RunContext,
  turn: number,
  result: Extract<TurnResult, { status: 'whole' }>,
  tools: ToolRunner,
): Promise<LoopEnd | undefined> {
  const { blocks, attempt } = result
  const stopReason = result.message.stop_reason
  if (stopReason === 'refusal') return refuseTurn(run, turn, result, tools)
  const usable = stopReason === 'tool_use' ? blocks : blocks.filter(isUsable)
  await addTurn(run, turn, result, withoutRefused(usable), stopReason)
  run.state.pauses = isPause(stopReason) ? run.state.pauses + 1 : 0
  return leadOn(run, stopReason, usable, attempt, tools)
}

/** What a turn that is part of history leads to, by its stop reason. Undefined where the loop goes on. */
async function leadOn(
  run: RunContext,
  stopReason: string | null,
  blocks: readonly AccumulatedBlock[],
  attempt: number,
  tools: ToolRunner,
): Promise<LoopEnd | undefined> {
  const isPaused = isPause(stopReason)
  // A pause waits for no answer of ours, unless it left calls behind.
  if (stopReason === 'tool_use' || (isPaused && callsOf(blocks).length > 0))
    return runCalls(run, attempt, blocks, tools)
  if (isPaused) return run.state.pauses > run.settings.limits.pauses ? { outcome: 'limit' } : undefined
  // Any other end starts no tool: of a call that `max_tokens` cut, nobody knows what was still to come.
  tools.discard([])
  const why = `The call was not run: the turn ended with ${stopReason ?? 'no stop reason'}`
  addResults(run, tools.refuse(callsOf(blocks), why))
  const limited = stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded'
  return { outcome: limited ? 'limit' : 'completed' }
}

/** Goes on from the last turn of a run that was taken over. */
async function takeUp(run: RunContext, pending: PendingTurn): Promise<LoopEnd | undefined> {
  const { content, stopReason, attempt, salvaged } = pending
  const tools = toolsOfTurn(run, run.state.turn, pending)
  const blocks = content.map(asWhole)
  if (salvaged) return runCalls(run, attempt, blocks, tools)
  if (stopReason !== null && stopReason !== 'refusal') return leadOn(run, stopReason, blocks, attempt, tools)
  // Its process died between the turn that ended the run, and the end.
  addResults(run, tools.refuse(callsOf(blocks), notRun))
  return { outcome: stopReason === null ? 'interrupted' : 'refused' }
}

/** The refused turn is left out of history: with it there, the model would refuse again. */
async function refuseTurn(run: RunContext, turn: number, result: TurnResult, tools: ToolRunner): Promise<LoopEnd> {
  const bound = run.retraction !== 'retract' && result.view.hasText
  const kept = bound ? keptOfPartial(result.blocks).filter(({ kind }) => kind !== 'tool_use') : []
  tools.discard([])
  await addTurn(run, turn, result, kept, 'refusal', 'refusal')
  return { outcome: 'refused' }
}

/** Shows a turn as history holds it, adds it there, and makes that durable. */
async function addTurn(
  run: RunContext,
  turn: number,
  { view, message, attempt, mode, status, reason = 'interrupted' }: TurnResult,
  kept: readonly AccumulatedBlock[],
  stopReason: string | null,
  why: RetractionReason = reason,
): Promise<void> {
  const { handle, state } = run
  const content = kept.map(({ block }) => block)
  // First, so that history holds what was shown even if showing the rest fails.
  if (content.length > 0) state.added.push(assistantMessage(content))
  view.settle(kept, why)
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
    ...(status !== 'whole' && { salvaged: true }),
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
async function runCalls(
  run: RunContext,
  attempt: number,
  blocks: readonly AccumulatedBlock[],
  tools: ToolRunner,
): Promise<LoopEnd | undefined> {
  const calls = callsOf(blocks)
  const invalid = callsOf(blocks.filter(({ validInput }) => !validInput))
  tools.discard(calls)
  addResults(run, await tools.run(calls, attempt, invalid))
  if (tools.storeError !== undefined) return { outcome: 'failed', error: tools.storeError }
  return run.handle.signal.aborted ? { outcome: 'interrupted' } : undefined
}

function toolsOfTurn(run: RunContext, turn: number, recovered?: RecoveredCalls): ToolRunner {
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

/** Of a whole turn everything, but for a call whose JSON `max_tokens` cut. */
function isUsable({ kind, validInput }: AccumulatedBlock): boolean {
  return kind !== 'tool_use' || validInput
}

function callsOf(blocks: readonly AccumulatedBlock[]): readonly ToolUseBlock[] {
  return blocks.map(({ block }) => block).filter(isToolUse)
}

function addResults(run: RunContext, answers: readonly AnsweredCall[]): void {
  if (answers.length === 0) return
  const results = answers.map(({ call, end }) => toolResult(call, end.result, end.outcome !== 'ok'))
  run.state.added.push(userMessage(results))
}

function containerOf(message: TurnResult['message']): string | undefined {
  const container = message?.['container']
  return isRecord(container) && typeof container['id'] === 'string' ? container['id'] : undefined
}
