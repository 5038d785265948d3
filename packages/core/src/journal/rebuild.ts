import type { RebuiltRun } from '../loop/rebuilt-run.ts'
import { fresh, type ResumePoint } from '../loop/resume-point.ts'
import type { LoopEnd } from '../loop/run-context.ts'
import { initialState } from '../loop/run-state.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { AgentEvent, Fallback, ToolFinished } from '../protocol/events.ts'
import { isPause } from '../protocol/messages.ts'
import { createHistoryFold, type HistoryFold } from '../reduce/history-fold.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'
import type { RunRecord, RunStore } from '../stores/run-store.ts'
import { createShownText } from '../reduce/shown-text.ts'
import { reconcileCall } from '../tools/recovered-calls.ts'
import { goOnFromCommitted } from './committed-turn.ts'
import { legacyOutcomeUnknown } from './legacy-outcome.ts'
import { missingEnds } from './missing-ends.ts'
import { keepReopened } from './reopened-turn.ts'

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
  /** Streams that broke, of one answer, and its text over all its pieces. */
  let brokenStreams = 0
  let said = ''
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
        said = fold.kept === 'continue' ? said + shownText(shown.blocks(event.turn)) : ''
        state.pauses = isPause(event.stopReason) ? state.pauses + 1 : 0
        break
      default:
        break
    }
  }
  const { turn, usage, stopReason, container, decision } = fold
  const missing = missingEnds(fold)
  return {
    state: { ...state, added: [...fold.messages], turn, usage, stopReason, container },
    from: resumePoint(fold, missing, { said, brokenStreams, staysBuffered: state.staysBuffered }),
    tail: events.at(-1)?.seq ?? 0,
    decision,
    missing,
    legacy,
    end: legacy && endOfLegacy(legacy),
    shown,
  }
}

/** Returns how a run ends whose legacy loop had it: nothing is asked again. */
function endOfLegacy(legacy: NonNullable<RebuiltRun['legacy']>): LoopEnd {
  return legacy === 'answered' ? { outcome: 'completed' } : { outcome: 'failed', error: legacyOutcomeUnknown() }
}

interface BrokenAnswer {
  /** The text of the answer that broke, over all its pieces. */
  readonly said: string
  /** Streams of it that broke. */
  readonly brokenStreams: number
  readonly staysBuffered: boolean
}

function resumePoint(
  { open, turn, last, kept, settled, started }: HistoryFold,
  missing: readonly ToolFinished[],
  { said, brokenStreams, staysBuffered }: BrokenAnswer,
): ResumePoint {
  if (open !== undefined && open.turn > turn && open.mode !== 'legacy') {
    const { attempt, blocks: shown, continues } = open
    const arrived = blocksOfShown(shown)
    return {
      type: 'reopened',
      attempt,
      shown,
      said: continues ? said : undefined,
      keep: (run, turnNow) => keepReopened(run, turnNow, attempt, arrived),
    }
  }
  if (kept === 'continue') {
    const failures = { streams: brokenStreams, buffered: 0, empty: 0 }
    return { type: 'continued', said, failures, request: staysBuffered ? 'buffered' : 'stream', delay: 0 }
  }
  if (last === undefined) return fresh
  const { stopReason, attempt, content } = last
  const ends = missing.filter(({ outcome }) => outcome === 'error').map((end) => [end.toolUseId, end] as const)
  const recovered = {
    settled: new Map([...settled, ...ends]),
    started: new Set(started.keys()),
    reconcile: reconcileCall,
  }
  const stored = { stopReason, attempt, content, salvaged: kept === 'salvage', recovered }
  return { type: 'committed', goOn: (run) => goOnFromCommitted(run, stored) }
}

/** Whether a request had failed: the rung was not left out, by the kill switch or the breaker. */
function isFailure({ reason }: Fallback): boolean {
  return reason !== 'killed' && reason !== 'circuit_open'
}

function shownText(blocks: readonly ShownBlock[]): string {
  return blocks.map(({ kind, text }) => (kind === 'text' ? text : '')).join('')
}

/** Returns the text that is shown, and the server tools that were called: those whose input has begun to arrive. */
function blocksOfShown(shown: readonly ShownBlock[]): AccumulatedBlock[] {
  return shown.flatMap(({ block: index, kind, open, text, toolUseId: id = '', name = '' }): AccumulatedBlock[] => {
    const common = { index, kind, finished: !open, text, validInput: true }
    if (kind === 'text') return [{ ...common, block: { type: kind, text } }]
    const isCall = (kind === 'server_tool_use' && text !== '') || kind === 'mcp_tool_use'
    return isCall ? [{ ...common, block: { type: kind, id, name } }] : []
  })
}
