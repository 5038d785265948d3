import type { AgentEvent, ToolFinished, ToolStarted, TurnFinished } from '../protocol/events.ts'
import { type ContentBlock, isToolUse, type Message, type ToolUseBlock, type Usage } from '../protocol/messages.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import { addUsage, noUsage } from '../protocol/usage.ts'
import { assistantMessage, toolResult, userMessage } from './history.ts'
import { applyToBlocks, isBlockEvent, type ShownBlock } from './shown-blocks.ts'

/** A turn that has begun and not finished. */
export interface OpenTurn {
  readonly turn: number
  readonly attempt: number
  readonly mode: TurnFinished['mode']
  /** What is shown of it. */
  readonly blocks: readonly ShownBlock[]
  /** Whether it goes on with the answer of the turn before it, which broke. */
  readonly continues: boolean
}

/** What the events of a run, `turn.finished.content` included, add up to. */
export interface HistoryFold {
  /** Applies the next event of the run. */
  apply(event: AgentEvent): void
  /**
   * Answers the calls of the last turn with the results that are known. The next turn does this by itself. `missing` is the
   * result of a call that has none; without it, such a call stays unanswered.
   */
  answer(missing?: string): void
  /** The messages that the run has added so far. */
  readonly messages: readonly Message[]
  /** How many of them were there before the open turn; without an open turn, before the last one. */
  readonly committed: number
  /** The last turn that finished, until it is answered. */
  readonly last: TurnFinished | undefined
  /** Its calls. */
  readonly calls: readonly ToolUseBlock[]
  /** Of these, the raw JSON of the input as it was shown, by the call's id. */
  readonly inputs: ReadonlyMap<string, string>
  /** How the last broken attempt was made a turn; undefined once another attempt has begun. */
  readonly kept: 'continue' | 'salvage' | undefined
  readonly open: OpenTurn | undefined
  /** The number of the last turn that finished; 0 before. */
  readonly turn: number
  readonly stopReason: string | null
  readonly usage: Usage
  readonly container: string | undefined
  readonly decision: RunDecision | undefined
  readonly started: ReadonlyMap<string, ToolStarted>
  readonly settled: ReadonlyMap<string, ToolFinished>
  /** The calls that were started early and thrown away. */
  readonly discarded: ReadonlySet<string>
}

/**
 * Creates the fold from events to history, the only one there is.
 *
 * @param continuePrompt what the model was asked with, as the user, to go on with an answer that broke
 */
// oxlint-disable-next-line max-lines-per-function -- short functions over one history
export function createHistoryFold(continuePrompt: string): HistoryFold {
  const messages: Message[] = []
  /** How many messages there were before each turn. */
  const startOf = new Map<number, number>()
  const started = new Map<string, ToolStarted>()
  const settled = new Map<string, ToolFinished>()
  const discarded = new Set<string>()
  /** What is shown of the open turn. */
  let shown: ShownBlock[] = []
  const state: Changing = {
    last: undefined,
    inputs: new Map(),
    kept: undefined,
    open: undefined,
    turn: 0,
    committed: 0,
    stopReason: null,
    usage: noUsage,
    container: undefined,
    decision: undefined,
  }

  function answer(missing?: string): void {
    const { last } = state
    if (last === undefined) return
    const results = callsOf(last).flatMap((call) => resultOf(call, settled.get(call.id), missing))
    if (results.length > 0) messages.push(userMessage(results))
    state.last = undefined
  }

  function begin({ turn, attempt, mode }: Pick<OpenTurn, 'turn' | 'attempt' | 'mode'>): void {
    const { open, kept } = state
    let continues = open?.continues ?? false
    if (open?.turn !== turn) {
      continues = state.last !== undefined && kept === 'continue'
      answer()
      state.committed = messages.length
      startOf.set(turn, messages.length)
      shown = []
    }
    state.kept = undefined
    state.open = { turn, attempt, mode, blocks: shown, continues }
  }

  function finish(event: TurnFinished): void {
    const { open } = state
    state.inputs = new Map(shown.flatMap(({ toolUseId, text }) => (toolUseId === undefined ? [] : [[toolUseId, text]])))
    state.open = undefined
    shown = []
    state.last = event
    state.turn = event.turn
    state.stopReason = event.stopReason
    state.usage = addUsage(state.usage, event.usage)
    state.container = event.container ?? state.container
    if (event.content.length === 0) return
    // Only with what it led to: history never ends with words that no user wrote.
    if (open?.continues === true) messages.push(userMessage([{ type: 'text', text: continuePrompt }]))
    messages.push(assistantMessage(event.content))
  }

  /** A turn that had finished is retracted whole: another loop says it anew. */
  function drop(turn: number): void {
    messages.length = startOf.get(turn) ?? messages.length
    state.committed = Math.min(state.committed, messages.length)
    if (state.last !== undefined && state.last.turn >= turn) state.last = undefined
  }

  function apply(event: AgentEvent): void {
    switch (event.type) {
      case 'run.started':
        state.decision = event.decision
        break
      case 'turn.started':
        begin(event)
        break
      case 'turn.finished':
        finish(event)
        break
      case 'fallback':
        if (event.to === 'continue' || event.to === 'salvage') state.kept = event.to
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
      case 'run.finished':
        state.usage = event.usage
        state.stopReason = event.stopReason
        break
      default: {
        const { open } = state
        if (!isBlockEvent(event)) break
        if (event.turn === open?.turn) applyToBlocks(shown, event)
        else if (event.type === 'turn.retracted' && event.fromBlock === 0 && event.fromOffset === 0) drop(event.turn)
      }
    }
  }

  return {
    apply,
    answer,
    messages,
    started,
    settled,
    discarded,
    get committed() {
      return state.committed
    },
    get last() {
      return state.last
    },
    get calls() {
      return callsOf(state.last)
    },
    get inputs() {
      return state.inputs
    },
    get kept() {
      return state.kept
    },
    get open() {
      return state.open
    },
    get turn() {
      return state.turn
    },
    get stopReason() {
      return state.stopReason
    },
    get usage() {
      return state.usage
    },
    get container() {
      return state.container
    },
    get decision() {
      return state.decision
    },
  }
}

type Changing = {
  -readonly [
    Key in
      | 'last'
      | 'inputs'
      | 'kept'
      | 'open'
      | 'turn'
      | 'committed'
      | 'stopReason'
      | 'usage'
      | 'container'
      | 'decision'
  ]: HistoryFold[Key]
}

function callsOf(turn: TurnFinished | undefined): readonly ToolUseBlock[] {
  return (turn?.content ?? []).filter(isToolUse)
}

function resultOf(call: ToolUseBlock, end: ToolFinished | undefined, missing: string | undefined): ContentBlock[] {
  if (end !== undefined) return [toolResult(call, end.result, end.outcome !== 'ok')]
  return missing === undefined ? [] : [toolResult(call, missing, true)]
}
