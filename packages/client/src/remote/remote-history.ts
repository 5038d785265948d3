import {
  answerText,
  closeHistory,
  type AgentEvent,
  type ContentBlock,
  type Message,
  type MillraceError,
  type RunOutcome,
  type RunResult,
  type ToolFinished,
  type TurnFinished,
  type Usage,
} from '@millrace/core'
import { reduceEvent } from '../view/reduce-events.ts'
import { emptyView, type RunView } from '../view/view.ts'

interface Call {
  readonly id: string
  readonly name: string
  readonly input: unknown
  readonly toolset: unknown
}

/** The history of a remote run, rebuilt from its events, raw content included. */
export interface RemoteHistory {
  take(event: AgentEvent): void
  /** The calls of the last committed turn whose end never came. */
  unsettled(): readonly Pick<ToolFinished, 'toolUseId' | 'name' | 'input' | 'turn'>[]
  /** Whether a turn showed text and has no content, which means that the server does not send raw content. */
  readonly lacksContent: boolean
  result(end: RemoteEnd): RunResult
}

export interface RemoteEnd {
  readonly outcome: RunOutcome
  readonly error?: MillraceError
}

/** Asks the model to go on after a partial answer; the service said the same in its own words. */
const continuePrompt = 'Continue exactly where you stopped.'

interface HistoryState {
  readonly added: Message[]
  readonly results: Map<string, ToolFinished>
  view: RunView
  /** The calls of the last committed turn, until they are answered. */
  calls: readonly Call[]
  /** The model is asked to go on with a partial answer. */
  continues: boolean
  lacksContent: boolean
  /** How many messages were there before the turn that is under way, or the last one. */
  committed: number
  last: TurnFinished | undefined
  isInTurn: boolean
  usage: Usage
}

export function remoteHistory(runId: string, given: readonly Message[]): RemoteHistory {
  const state: HistoryState = {
    added: [],
    results: new Map(),
    view: emptyView,
    calls: [],
    continues: false,
    lacksContent: false,
    committed: 0,
    last: undefined,
    isInTurn: false,
    usage: { input_tokens: 0, output_tokens: 0 },
  }
  return {
    take: (event) => take(state, event),
    unsettled() {
      const { isInTurn, calls, results, last } = state
      const open = isInTurn ? [] : calls.filter(({ id }) => !results.has(id))
      return open.map(({ id, name, input }) => ({ toolUseId: id, name, input, turn: last?.turn ?? 1 }))
    },
    get lacksContent() {
      return state.lacksContent
    },
    result: (end) => toResult(state, runId, given, end),
  }
}

function take(state: HistoryState, event: AgentEvent): void {
  state.view = reduceEvent(state.view, event)
  switch (event.type) {
    case 'turn.started':
      if (state.isInTurn) return
      answerCalls(state)
      state.committed = state.added.length
      state.isInTurn = true
      return
    case 'turn.finished':
      return commit(state, event)
    case 'tool.finished':
      state.results.set(event.toolUseId, event)
      return
    case 'fallback':
      state.continues ||= event.to === 'continue'
      return
    case 'run.finished':
      state.usage = event.usage
      return
    default:
  }
}

function commit(state: HistoryState, event: TurnFinished): void {
  if (shownTexts(state.view).length > 0 && event.content.length === 0) state.lacksContent = true
  add(state, 'assistant', event.content)
  state.calls = event.content.flatMap(toCall)
  state.usage = addUsage(state.usage, event.usage)
  state.last = event
  state.isInTurn = false
}

/** Answers the calls of the last turn, before the next one or at the end. */
function answerCalls(state: HistoryState): void {
  const prompt = state.continues ? [{ type: 'text', text: continuePrompt }] : []
  add(state, 'user', [...state.calls.map((call) => toolResult(call, state.results.get(call.id))), ...prompt])
  state.calls = []
  state.continues = false
}

function toResult(
  state: HistoryState,
  runId: string,
  given: readonly Message[],
  { outcome, error }: RemoteEnd,
): RunResult {
  const { view, added, results, calls, last, isInTurn, committed, usage } = state
  const ranCalls = calls.some(({ id }) => results.get(id)?.outcome !== 'cancelled')
  answerCalls(state)
  // What was shown of a turn whose end never came stays, so that history is what was shown.
  if (isInTurn)
    add(
      state,
      'assistant',
      shownTexts(view).map((text) => ({ type: 'text', text })),
    )
  const newMessages = closeHistory(added, 'The call was not run: the run ended')
  const turn = view.turns.at(-1)?.turn ?? 0
  const isUnfinished = outcome === 'failed' && turn > 0 && (isInTurn || (last?.salvaged === true && !ranCalls))
  return {
    runId,
    outcome,
    stopReason: view.stopReason ?? last?.stopReason ?? null,
    messages: [...given, ...newMessages],
    newMessages,
    text: answerText(newMessages),
    usage,
    turns: turn,
    ...(error && { error }),
    ...(isUnfinished && { unfinished: { turn, committed } }),
  }
}

/** The texts of the last turn. Blank ones are no part of history. */
function shownTexts(view: RunView): readonly string[] {
  const blocks = view.turns.at(-1)?.blocks ?? []
  return blocks.filter(({ kind, text }) => kind === 'text' && text.trim() !== '').map(({ text }) => text)
}

function add({ added }: HistoryState, role: 'user' | 'assistant', content: readonly ContentBlock[]): void {
  const message: unknown = { role, content }
  if (content.length > 0 && isMessage(message)) added.push(message)
}

function toCall(block: ContentBlock): readonly Call[] {
  const { type, id, name, input, toolset_name: toolset } = block
  if (type !== 'tool_use' || typeof id !== 'string' || typeof name !== 'string') return []
  return [{ id, name, input, toolset }]
}

function toolResult({ id, toolset }: Call, finished: ToolFinished | undefined): ContentBlock {
  const { result, outcome }: Pick<ToolFinished, 'result' | 'outcome'> = finished ?? {
    result: 'The call was not run: the run ended',
    outcome: 'cancelled',
  }
  return {
    type: 'tool_result',
    tool_use_id: id,
    content: result,
    ...(outcome !== 'ok' && { is_error: true }),
    ...(typeof toolset === 'string' && { toolset_name: toolset }),
  }
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'role' in message && 'content' in message
}

function addUsage(sum: Usage, more: Usage): Usage {
  return {
    input_tokens: sum.input_tokens + more.input_tokens,
    output_tokens: sum.output_tokens + more.output_tokens,
  }
}
