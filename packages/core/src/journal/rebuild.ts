import { initialState, type ReopenedTurn } from '../loop/run-state.ts'
import type { PendingTurn, RebuiltRun } from '../loop/rebuilt-run.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { AgentEvent, Fallback, TurnFinished } from '../protocol/events.ts'
import { isPause } from '../protocol/messages.ts'
import { createHistoryFold, type OpenTurn } from '../reduce/history-fold.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'
import type { RunRecord, RunStore } from '../stores/run-store.ts'
import { createShownText } from '../reduce/shown-text.ts'
import { missingEnds } from './missing-ends.ts'

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

/**
 * Rebuilds a run from its record and its events. What the dead process had shown of the turn it was in is part of the
 * state, so that the next attempt is compared with it like any other.
 */
export function rebuild(record: RunRecord, events: readonly AgentEvent[], continuePrompt: string): RebuiltRun {
  const fold = createHistoryFold(continuePrompt)
  const shown = createShownText()
  const state = initialState(record.messages)
  /** Streams that broke, of one answer. */
  let brokenStreams = 0
  let legacy: RebuiltRun['legacy']

  for (const event of events) {
    fold.apply(event)
    shown.apply(event)
    switch (event.type) {
      case 'turn.started':
        if (event.mode === 'legacy') legacy = 'under_way'
        break
      case 'fallback':
        if (isFailure(event) && event.to !== 'salvage') state.extraRequests += 1
        if (isFailure(event) && event.from === 'stream') brokenStreams += 1
        state.staysBuffered ||= event.reason === 'killed' || brokenStreams >= 2
        break
      case 'turn.finished':
        if (event.mode === 'legacy') legacy = 'answered'
        if (fold.kept !== 'continue') brokenStreams = 0
        state.pauses = isPause(event.stopReason) ? state.pauses + 1 : 0
        break
      default:
        break
    }
  }
  const { open, turn, decision } = fold
  if (open !== undefined && open.turn > turn && open.mode !== 'legacy') state.reopened = reopen(open)
  // A continued turn has said all there is; any other may still have calls to answer.
  if (fold.kept === 'continue') fold.answer()
  const missing = missingEnds(fold)
  const settled = new Map([
    ...fold.settled,
    ...missing.filter(({ outcome }) => outcome === 'error').map((end) => [end.toolUseId, end] as const),
  ])
  const { last, kept, usage, stopReason, container } = fold
  const pending = last && {
    ...pick(last),
    salvaged: kept === 'salvage',
    settled,
    started: new Set(fold.started.keys()),
  }
  return {
    state: { ...state, added: [...fold.messages], turn, usage, stopReason, container },
    tail: events.at(-1)?.seq ?? 0,
    decision,
    pending,
    missing,
    legacy,
    shown,
  }
}

function pick({ stopReason, attempt, content }: TurnFinished): Pick<PendingTurn, 'stopReason' | 'attempt' | 'content'> {
  return { stopReason, attempt, content }
}

/** Whether a request had failed: the rung was not left out, by the kill switch or the breaker. */
function isFailure({ reason }: Fallback): boolean {
  return reason !== 'killed' && reason !== 'circuit_open'
}

function reopen({ attempt, blocks }: OpenTurn): ReopenedTurn {
  const shown: ReopenedTurn['shown'][number][] = []
  for (const { block: index, kind, text, open, toolUseId = '', name = '' } of blocks)
    shown[index] = { index, kind, text, toolUseId, name, finished: !open }
  return { attempt, shown, blocks: blocksOfShown(blocks) }
}

/** The text that is shown, and the server tools that were called: those whose input has begun to arrive. */
function blocksOfShown(shown: readonly ShownBlock[]): AccumulatedBlock[] {
  return shown.flatMap(({ block: index, kind, open, text, toolUseId: id = '', name = '' }): AccumulatedBlock[] => {
    const common = { index, kind, finished: !open, text, validInput: true }
    if (kind === 'text') return [{ ...common, block: { type: kind, text } }]
    const isCall = (kind === 'server_tool_use' && text !== '') || kind === 'mcp_tool_use'
    return isCall ? [{ ...common, block: { type: kind, id, name } }] : []
  })
}
