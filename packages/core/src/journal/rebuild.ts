import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { addUsage } from '../protocol/usage.ts'
import type { AgentEvent, Fallback, ToolFinished, ToolStarted, TurnFinished } from '../protocol/events.ts'
import { assistantMessage, toolResult, userMessage } from '../reduce/history.ts'
import { type ContentBlock, isPause, isToolUse } from '../protocol/messages.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import type { RunRecord, RunStore } from '../stores/run-store.ts'
import type { PendingTurn, RebuiltRun } from '../loop/rebuilt-run.ts'
import { initialState } from '../loop/run-state.ts'
import type { ShownBlock } from '../loop/turn-view.ts'
import { type CallEnd, owedEnds } from './owed-ends.ts'

/** The events of a run that are stored now; `tail` says how many there are. */
export async function readStored(store: RunStore, runId: string, tail: number): Promise<readonly AgentEvent[]> {
  const events: AgentEvent[] = []
  if (tail === 0) return events
  const enough = new AbortController()
  for await (const batch of store.read(runId, 0, enough.signal)) {
    for (const event of batch) events.push(event)
    // The run is open, so reading would go on for ever.
    if ((batch.at(-1)?.seq ?? 0) >= tail) break
  }
  enough.abort()
  return events
}

/** A run as it is stored, and what its process died before it could say. */
export interface StoredRun extends RebuiltRun {
  /** The ends of calls that nobody will run: started early for an attempt that is lost, or given no JSON as input. */
  readonly owed: readonly CallEnd[]
}

/**
 * Rebuilds a run from its record and its events. What the dead process had shown of the turn it was in is part of the
 * state, so that the next attempt is compared with it like any other.
 */
export function rebuild(record: RunRecord, events: readonly AgentEvent[], continuePrompt: string): StoredRun {
  const state = initialState(record.messages)
  let decision: RunDecision | undefined
  let last: TurnFinished | undefined
  /** How the last broken attempt was made a turn, until another attempt begins. */
  let rung: 'continue' | 'salvage' | undefined
  /** Streams that broke, of one answer. */
  let brokenStreams = 0
  let openTurn = 0
  let attempt = 0
  let shown: (ShownBlock | undefined)[] = []
  const settled = new Map<string, ToolFinished>()
  const discarded = new Set<string>()
  const started = new Map<string, ToolStarted>()
  /** Of the last turn's calls, the raw JSON that was shown. */
  let inputs = new Map<string, string>()

  /** The last turn is followed by another one: its calls are answered. */
  function answerTurn(): void {
    if (last === undefined) return
    const results = last.content
      .filter(isToolUse)
      .flatMap((call) => resultOf(settled.get(call.id), (content, isError) => toolResult(call, content, isError)))
    const prompt = rung === 'continue' ? [{ type: 'text', text: continuePrompt }] : []
    if (results.length + prompt.length > 0) state.added.push(userMessage([...results, ...prompt]))
    last = undefined
  }

  for (const event of events) {
    switch (event.type) {
      case 'run.started':
        decision = event.decision
        break
      case 'turn.started':
        if (event.turn !== openTurn) answerTurn()
        if (event.turn !== openTurn) shown = []
        rung = undefined
        openTurn = event.turn
        attempt = event.attempt
        break
      case 'fallback':
        if (event.to === 'continue' || event.to === 'salvage') rung = event.to
        if (isFailure(event) && event.to !== 'salvage') state.extraRequests += 1
        if (isFailure(event) && event.from === 'stream') brokenStreams += 1
        state.staysBuffered ||= event.reason === 'killed' || brokenStreams >= 2
        break
      case 'turn.finished':
        last = event
        inputs = new Map(shown.flatMap((block) => (block === undefined ? [] : [[block.toolUseId, block.text]])))
        shown = []
        if (rung !== 'continue') brokenStreams = 0
        state.turn = event.turn
        state.stopReason = event.stopReason
        state.usage = addUsage(state.usage, event.usage)
        state.container = event.container ?? state.container
        if (event.content.length > 0) state.added.push(assistantMessage(event.content))
        state.pauses = isPause(event.stopReason) ? state.pauses + 1 : 0
        break
      case 'tool.started':
        started.set(event.toolUseId, event)
        settled.delete(event.toolUseId)
        discarded.delete(event.toolUseId)
        break
      case 'tool.finished':
        if (event.outcome === 'discarded') discarded.add(event.toolUseId)
        else settled.set(event.toolUseId, event)
        break
      default:
        applyTo(shown, event)
    }
  }
  if (openTurn > state.turn) state.reopened = { attempt, shown, blocks: blocksOfShown(shown) }
  const tail = events.at(-1)?.seq ?? 0
  // A continued turn has said all there is; any other may still have calls to answer.
  if (rung === 'continue') answerTurn()
  const calls = (last?.content ?? []).filter(isToolUse)
  const { turn } = state
  const unansweredFrom = last === undefined ? turn + 1 : turn
  const owed = owedEnds({ started, settled, discarded, calls, inputs, turn, unansweredFrom })
  for (const end of owed) if (end.outcome === 'error') settled.set(end.toolUseId, end)
  const pending = last && { ...pick(last), salvaged: rung === 'salvage', settled, started: new Set(started.keys()) }
  return { state, tail, decision, pending, owed }
}

function pick({ stopReason, attempt, content }: TurnFinished): Pick<PendingTurn, 'stopReason' | 'attempt' | 'content'> {
  return { stopReason, attempt, content }
}

/** Whether a request had failed: the rung was not left out, by the kill switch or the breaker. */
function isFailure({ reason }: Fallback): boolean {
  return reason !== 'killed' && reason !== 'circuit_open'
}

function resultOf(
  finished: ToolFinished | undefined,
  make: (content: ToolFinished['result'], isError: boolean) => ContentBlock,
): ContentBlock[] {
  return finished === undefined ? [] : [make(finished.result, finished.outcome !== 'ok')]
}

/** The text that is shown, and the server tools that were called: those whose input has begun to arrive. */
function blocksOfShown(shown: readonly (ShownBlock | undefined)[]): AccumulatedBlock[] {
  return shown.flatMap((block): AccumulatedBlock[] => {
    if (block === undefined) return []
    const { index, kind, finished, text, toolUseId: id, name } = block
    const common = { index, kind, finished, text, validInput: true }
    if (kind === 'text') return [{ ...common, block: { type: kind, text } }]
    const isCall = (kind === 'server_tool_use' && text !== '') || kind === 'mcp_tool_use'
    return isCall ? [{ ...common, block: { type: kind, id, name } }] : []
  })
}

/** Takes one more event of the open turn into what is shown of it; in place, so that the cost stays linear. */
function applyTo(shown: (ShownBlock | undefined)[], event: AgentEvent): void {
  switch (event.type) {
    case 'block.started':
      shown[event.block] = { index: event.block, kind: event.kind, toolUseId: '', name: '', text: '', finished: false }
      break
    case 'text.delta':
    case 'thinking.delta':
      append(shown, event.block, event.text)
      break
    case 'tool.input': {
      append(shown, event.block, event.json)
      const block = shown[event.block]
      if (block !== undefined) shown[event.block] = { ...block, toolUseId: event.toolUseId, name: event.name }
      break
    }
    case 'turn.retracted': {
      const kept = event.fromOffset > 0 ? shown[event.fromBlock] : undefined
      shown.length = Math.min(shown.length, event.fromBlock)
      if (kept !== undefined)
        shown[event.fromBlock] = { ...kept, text: kept.text.slice(0, event.fromOffset), finished: false }
      break
    }
    case 'block.finished': {
      const block = shown[event.block]
      if (block !== undefined) shown[event.block] = { ...block, finished: true }
      break
    }
    default:
      break
  }
}

function append(shown: (ShownBlock | undefined)[], index: number, text: string): void {
  const block = shown[index]
  if (block !== undefined) shown[index] = { ...block, text: block.text + text }
}
