import type { AgentEvent, RunFinished, ToolFinished, ToolProgressed, TurnRetracted } from '@millrace/core'
import { isCallKind, type ShownBlock, type ShownBlocks, shownBlocks } from '../shown-blocks.ts'
import { toolResultText } from '../tool-result-text.ts'

/** A message of AG-UI: `id`, `role` and the fields of the role. */
export interface AgUiMessage {
  readonly id: string
  readonly role: string
  readonly [field: string]: unknown
}

export interface AgUiOptions {
  /** Default: the run's session, else its id. */
  readonly threadId?: string
  /** The id that the client gave the run. Default: the run's own. */
  readonly runId?: string
  /**
   * The messages that the client sent. A snapshot replaces the whole conversation, so without them a retraction removes
   * them from the client. Default: none.
   */
  readonly messages?: readonly AgUiMessage[]
}

export interface AgUiEvent {
  readonly type: string
  readonly [field: string]: unknown
}

interface AgUiState {
  readonly options: AgUiOptions
  readonly shown: ShownBlocks
  /** Of tool calls, by id. */
  readonly results: Map<string, AgUiMessage>
  readonly activities: Map<string, AgUiMessage>
  threadId: string
  runId: string
  step: string | undefined
}

/** Returns a translator from events to AG-UI's. It must see a run from its first event. */
export function agUiTranslator(options: AgUiOptions): (event: AgentEvent) => readonly AgUiEvent[] {
  const state: AgUiState = {
    options,
    shown: shownBlocks(),
    results: new Map(),
    activities: new Map(),
    threadId: options.threadId ?? '',
    runId: options.runId ?? '',
    step: undefined,
  }
  return (event) => translate(state, event)
}

function translate(state: AgUiState, event: AgentEvent): readonly AgUiEvent[] {
  switch (event.type) {
    case 'run.started':
      state.runId ||= event.runId
      state.threadId ||= event.sessionId ?? event.runId
      return [{ type: 'RUN_STARTED', threadId: state.threadId, runId: state.runId }]
    case 'turn.started':
      return startStep(state, event.turn)
    case 'block.started':
      return isCallKind(event.kind) ? [] : openText(state, state.shown.show(event))
    case 'text.delta':
    case 'thinking.delta': {
      const shown = state.shown.show(event)
      return [...openText(state, shown), content(state, shown.block, event.text)]
    }
    case 'tool.input': {
      const { block, isFresh } = state.shown.show(event)
      const args: AgUiEvent = { type: 'TOOL_CALL_ARGS', toolCallId: event.toolUseId, delta: event.json }
      return isFresh ? [...startCall(state, block), args] : [args]
    }
    case 'block.finished': {
      const block = state.shown.at(event)
      return block ? closeBlock(state, block) : []
    }
    case 'tool.started':
      return ensureCall(state, event)
    case 'tool.progress':
      return showProgress(state, event)
    case 'tool.finished':
      return showResult(state, event)
    case 'turn.retracted':
      return retract(state, event)
    case 'fallback': {
      const { turn, from, to, reason, stage } = event
      return [{ type: 'CUSTOM', name: 'millrace.fallback', value: { turn, from, to, reason, stage } }]
    }
    case 'turn.finished':
    case 'run.resumed':
      return []
    case 'run.moving': {
      const { runId, retryMs } = event
      return [{ type: 'CUSTOM', name: 'millrace.run_moving', value: { runId, retryMs } }]
    }
    case 'run.finished':
      return finishRun(state, event)
  }
}

function startStep(state: AgUiState, turn: number): readonly AgUiEvent[] {
  const stepName = `turn-${turn}`
  if (state.step === stepName) return []
  const closing = closeStep(state)
  state.step = stepName
  return [...closing, { type: 'STEP_STARTED', stepName }]
}

function closeStep(state: AgUiState): readonly AgUiEvent[] {
  const closing = state.shown.all().flatMap((block) => closeBlock(state, block))
  const { step } = state
  state.step = undefined
  return step === undefined ? closing : [...closing, { type: 'STEP_FINISHED', stepName: step }]
}

function messageId(state: AgUiState, block: ShownBlock): string {
  return `${state.runId}:${block.id}`
}

function callsMessageId(state: AgUiState, turn: number): string {
  return `${state.runId}:${turn}.calls`
}

function openText(
  state: AgUiState,
  { block, isFresh }: { readonly block: ShownBlock; readonly isFresh: boolean },
): readonly AgUiEvent[] {
  if (!isFresh) return []
  const id = messageId(state, block)
  if (block.kind === 'text') return [{ type: 'TEXT_MESSAGE_START', messageId: id, role: 'assistant' }]
  if (block.kind !== 'thinking') return []
  return [
    { type: 'REASONING_START', messageId: `${id}.span` },
    { type: 'REASONING_MESSAGE_START', messageId: id, role: 'reasoning' },
  ]
}

function content(state: AgUiState, block: ShownBlock, delta: string): AgUiEvent {
  const type = block.kind === 'text' ? 'TEXT_MESSAGE_CONTENT' : 'REASONING_MESSAGE_CONTENT'
  return { type, messageId: messageId(state, block), delta }
}

function startCall(state: AgUiState, { toolUseId, name, turn }: ShownBlock): readonly AgUiEvent[] {
  const parentMessageId = callsMessageId(state, turn)
  return [{ type: 'TOOL_CALL_START', toolCallId: toolUseId, toolCallName: name, parentMessageId }]
}

function closeBlock(state: AgUiState, block: ShownBlock): readonly AgUiEvent[] {
  if (!block.isOpen) return []
  state.shown.close(block)
  const id = messageId(state, block)
  if (block.kind === 'text') return [{ type: 'TEXT_MESSAGE_END', messageId: id }]
  if (block.kind === 'thinking') {
    return [
      { type: 'REASONING_MESSAGE_END', messageId: id },
      { type: 'REASONING_END', messageId: `${id}.span` },
    ]
  }
  return block.toolUseId === undefined ? [] : [{ type: 'TOOL_CALL_END', toolCallId: block.toolUseId }]
}

/** A call that the model's blocks have not shown, such as one of a loop that does not stream. */
function ensureCall(
  state: AgUiState,
  { toolUseId, name, turn, input }: { toolUseId: string; name: string; turn: number; input: unknown },
): readonly AgUiEvent[] {
  const known = state.shown.find(toolUseId)
  if (known) return closeBlock(state, known)
  const last = state.shown.all().findLast((each) => each.turn === turn)
  const json = JSON.stringify(input ?? {})
  const place = { turn, attempt: 1, block: last === undefined ? 0 : last.block + 1 }
  const { block } = state.shown.show({ type: 'tool.input', ...place, toolUseId, name, json })
  const args: AgUiEvent = { type: 'TOOL_CALL_ARGS', toolCallId: toolUseId, delta: json }
  return [...startCall(state, block), args, ...closeBlock(state, block)]
}

function showProgress(state: AgUiState, event: ToolProgressed): readonly AgUiEvent[] {
  if (!state.shown.find(event.toolUseId) || state.results.has(event.toolUseId)) return []
  const { toolUseId: toolCallId, name: toolName, progress, total, message, data, elapsedMs } = event
  const id = `progress:${toolCallId}`
  const values = { toolCallId, toolName, progress, total, message, data, elapsedMs }
  const activity = { id, role: 'activity', activityType: 'tool_progress', content: definedOnly(values) }
  state.activities.set(toolCallId, activity)
  // A snapshot each time: a progress report is as small as a patch of it would be.
  return [{ type: 'ACTIVITY_SNAPSHOT', messageId: id, activityType: 'tool_progress', content: activity.content }]
}

function showResult(state: AgUiState, event: ToolFinished): readonly AgUiEvent[] {
  const { toolUseId: toolCallId, outcome, result } = event
  // The call went with the attempt that asked for it.
  if (outcome === 'discarded' && !state.shown.find(toolCallId)) return []
  if (state.results.has(toolCallId)) return []
  const opening = ensureCall(state, event)
  const message = { id: `result:${toolCallId}`, role: 'tool', toolCallId, content: toolResultText(result) }
  state.results.set(toolCallId, message)
  // AG-UI has no error flag.
  const metadata = { outcome }
  return [
    ...opening,
    { type: 'TOOL_CALL_RESULT', messageId: message.id, toolCallId, content: message.content, role: 'tool', metadata },
  ]
}

/** Ends what is retracted, sends a snapshot of what remains, and reopens the block that the retraction cut. */
function retract(state: AgUiState, event: TurnRetracted): readonly AgUiEvent[] {
  const reached = state.shown.reachedBy(event)
  if (reached.length === 0) return []
  const closing = reached.flatMap((block) => closeBlock(state, block))
  const thoughts = reached.filter(({ kind }) => kind === 'thinking').map((block) => messageId(state, block))
  const cut = state.shown.retract(event)
  const snapshot: AgUiEvent = {
    type: 'MESSAGES_SNAPSHOT',
    messages: withEmptied(thoughts, [...(state.options.messages ?? []), ...messagesOf(state, cut)]),
    // Otherwise a client keeps the progress of retracted calls if no other progress is left.
    metadata: { '@ag-ui/client': { authoritativeActivityTypes: ['tool_progress'] } },
  }
  if (!cut) return [...closing, snapshot]
  if (isCallKind(cut.kind)) {
    const args: AgUiEvent = { type: 'TOOL_CALL_ARGS', toolCallId: cut.toolUseId, delta: cut.text }
    return [...closing, snapshot, ...startCall(state, cut), args]
  }
  return [...closing, snapshot, ...openText(state, { block: cut, isFresh: true }), content(state, cut, cut.text)]
}

/** Empties retracted reasoning in the snapshot, because a client keeps all its reasoning if a snapshot has none. */
function withEmptied(retracted: readonly string[], messages: readonly AgUiMessage[]): readonly AgUiMessage[] {
  if (messages.some(({ role }) => role === 'reasoning')) return messages
  return [...messages, ...retracted.map((id) => ({ id, role: 'reasoning', content: '' }))]
}

/** Returns the run's messages, without the block that is about to be reopened. */
function messagesOf(state: AgUiState, cut: ShownBlock | undefined): readonly AgUiMessage[] {
  const blocks = state.shown.all().filter(({ id }) => id !== cut?.id)
  const seen = new Set<string>()
  return blocks.flatMap((block): readonly AgUiMessage[] => {
    const id = messageId(state, block)
    if (block.kind === 'text') return [{ id, role: 'assistant', content: block.text }]
    if (block.kind === 'thinking') return [{ id, role: 'reasoning', content: block.text }]
    const callsId = callsMessageId(state, block.turn)
    if (block.toolUseId === undefined || seen.has(callsId)) return []
    seen.add(callsId)
    const calls = blocks.filter(({ turn, toolUseId }) => turn === block.turn && toolUseId !== undefined)
    return [
      { id: callsId, role: 'assistant', toolCalls: calls.map(toToolCall) },
      ...calls.flatMap((call) => around(state, call)),
    ]
  })
}

function toToolCall({ toolUseId, name, text }: ShownBlock): object {
  return { id: toolUseId, type: 'function', function: { name, arguments: text } }
}

function around({ results, activities }: AgUiState, { toolUseId = '' }: ShownBlock): readonly AgUiMessage[] {
  return [results.get(toolUseId), activities.get(toolUseId)].filter((message) => message !== undefined)
}

function finishRun(state: AgUiState, { outcome, stopReason, usage, error }: RunFinished): readonly AgUiEvent[] {
  const closing = closeStep(state)
  if (outcome === 'failed') {
    return [
      ...closing,
      { type: 'RUN_ERROR', message: error?.message ?? 'The run failed', code: error?.code ?? 'internal' },
    ]
  }
  const ids = { threadId: state.threadId, runId: state.runId }
  const type = outcome === 'interrupted' ? 'cancelled' : 'success'
  const metadata = { outcome, stopReason, usage }
  return [...closing, { type: 'RUN_FINISHED', ...ids, outcome: { type }, metadata }]
}

function definedOnly(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
