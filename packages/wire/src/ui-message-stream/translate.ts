import type { AgentEvent, RunFinished, ToolFinished, ToolProgressed, TurnRetracted } from '@millrace/core'
import { parseJson } from '@millrace/core/kit'
import { isCallKind, type ShownBlock, type ShownBlocks, shownBlocks } from '../shown-blocks.ts'
import { toolResultText } from '../tool-result-text.ts'

export interface UiMessageStreamOptions {
  /** Default: the run's id. */
  readonly messageId?: string
  /**
   * Whether tool progress is a `data-tool-progress` part beside the tool's part, or preliminary output of the tool. Default:
   * `data`, because code that renders results may not expect a preliminary output of another shape.
   */
  readonly progress?: 'data' | 'preliminary'
  /**
   * Whether the client supports `reset-step`, as `ai` does from version 7. Without it, text cannot be retracted, so start the
   * run with `retraction: 'continue'`. Retracted thinking or a retracted call then stays and is ended. Default: true.
   */
  readonly resets?: boolean
}

/** One frame of the stream. */
export interface UiChunk {
  readonly type: string
  readonly [field: string]: unknown
}

interface UiState {
  readonly shown: ShownBlocks
  /** The calls with a part in the current step, and the latest chunks of their progress and output. */
  tools: Map<string, { readonly available: UiChunk; progress?: UiChunk; output?: UiChunk }>
  /** The first turn of the current step; 0 before the first. */
  stepFrom: number
  lastTurn: number
  /** Whether a retraction was impossible. Nothing more may follow then. */
  isBroken: boolean
  readonly options: UiMessageStreamOptions
}

/** Returns a translator from events to the chunks of `AbstractChat`. It must see a run from its first event. */
export function uiTranslator(options: UiMessageStreamOptions): (event: AgentEvent) => readonly UiChunk[] {
  const state: UiState = { shown: shownBlocks(), tools: new Map(), stepFrom: 0, lastTurn: 0, isBroken: false, options }
  return (event) => (state.isBroken ? [] : translate(state, event))
}

function translate(state: UiState, event: AgentEvent): readonly UiChunk[] {
  switch (event.type) {
    case 'run.started': {
      const { runId, sessionId } = event
      const messageMetadata = { runId, ...(sessionId !== undefined && { sessionId }) }
      return [{ type: 'start', messageId: state.options.messageId ?? runId, messageMetadata }]
    }
    case 'turn.started':
      return startTurn(state, event.turn)
    case 'block.started':
      return isCallKind(event.kind) ? [] : opening(state.shown.show(event))
    case 'text.delta':
    case 'thinking.delta': {
      const shown = state.shown.show(event)
      const { id, kind } = shown.block
      return [...opening(shown), { type: `${partTypes[kind]}-delta`, id, delta: event.text }]
    }
    case 'tool.input': {
      const { block, isFresh } = state.shown.show(event)
      const { toolUseId: toolCallId, json } = event
      const delta: UiChunk = { type: 'tool-input-delta', toolCallId, inputTextDelta: json }
      return isFresh ? [inputStart(block), delta] : [delta]
    }
    case 'block.finished': {
      const block = state.shown.at(event)
      return block ? finishBlock(state, block) : []
    }
    case 'tool.started':
      return makeAvailable(state, event.toolUseId, event.name, event.input)
    case 'tool.progress':
      return showProgress(state, event)
    case 'tool.finished':
      return showResult(state, event)
    case 'turn.retracted':
      return retract(state, event)
    case 'turn.finished':
    case 'fallback':
    case 'run.resumed':
      return []
    case 'run.moving': {
      const { runId, retryMs } = event
      return [{ type: 'data-run-moving', data: { runId, retryMs }, transient: true }]
    }
    case 'run.finished':
      return finishRun(state, event)
  }
}

/** A turn opens a step if the previous step has tool results. Before that, a retraction must reach both turns. */
function startTurn(state: UiState, turn: number): readonly UiChunk[] {
  if (turn === state.lastTurn) return []
  state.lastTurn = turn
  const hasResults = [...state.tools.values()].some(({ output }) => output !== undefined)
  if (state.stepFrom > 0 && !hasResults) return []
  const before: UiChunk[] = state.stepFrom > 0 ? [...closeTexts(state), { type: 'finish-step' }] : []
  state.stepFrom = turn
  state.tools = new Map()
  state.shown.forget(turn)
  return [...before, { type: 'start-step' }]
}

const partTypes: Readonly<Record<string, string>> = { text: 'text', thinking: 'reasoning' }

function opening({ block: { id, kind }, isFresh }: ReturnType<ShownBlocks['show']>): readonly UiChunk[] {
  const part = partTypes[kind]
  return isFresh && part ? [{ type: `${part}-start`, id }] : []
}

function finishBlock(state: UiState, block: ShownBlock): readonly UiChunk[] {
  if (!block.isOpen) return []
  state.shown.close(block)
  const part = partTypes[block.kind]
  if (part) return [{ type: `${part}-end`, id: block.id }]
  if (block.toolUseId === undefined || block.name === undefined) return []
  const input = parseJson(block.text === '' ? '{}' : block.text)
  // The JSON is incomplete. The call will be answered as an error or retracted, so no part with an invented input is sent.
  return input === undefined ? [] : makeAvailable(state, block.toolUseId, block.name, input)
}

function inputStart({ toolUseId, name }: ShownBlock): UiChunk {
  return { type: 'tool-input-start', toolCallId: toolUseId, toolName: name }
}

function makeAvailable(state: UiState, toolCallId: string, toolName: string, input: unknown): readonly UiChunk[] {
  if (state.tools.has(toolCallId)) return []
  const available: UiChunk = { type: 'tool-input-available', toolCallId, toolName, input }
  state.tools.set(toolCallId, { available })
  return [available]
}

function showProgress(state: UiState, event: ToolProgressed): readonly UiChunk[] {
  const tool = state.tools.get(event.toolUseId)
  if (!tool || tool.output) return []
  const { toolUseId: toolCallId, name: toolName, progress, total, message, data, elapsedMs } = event
  const values = { progress, total, message, data, elapsedMs }
  const chunk: UiChunk =
    state.options.progress === 'preliminary'
      ? { type: 'tool-output-available', toolCallId, output: values, preliminary: true }
      : { type: 'data-tool-progress', id: toolCallId, data: { toolCallId, toolName, ...values } }
  tool.progress = chunk
  return [chunk]
}

function showResult(state: UiState, event: ToolFinished): readonly UiChunk[] {
  const { toolUseId, name, input, outcome, result } = event
  // Its part went with the attempt that asked for it.
  if (outcome === 'discarded') return []
  const opening = makeAvailable(state, toolUseId, name, input ?? {})
  const output: UiChunk =
    outcome === 'ok'
      ? { type: 'tool-output-available', toolCallId: toolUseId, output: result }
      : { type: 'tool-output-error', toolCallId: toolUseId, errorText: toolResultText(result) }
  const tool = state.tools.get(toolUseId)
  if (tool) tool.output = output
  return [...opening, output]
}

/** `reset-step` takes the whole step away; what remains of it is sent again. */
function retract(state: UiState, event: TurnRetracted): readonly UiChunk[] {
  const reached = state.shown.reachedBy(event)
  const { resets = true } = state.options
  if (event.turn < state.stepFrom || (!resets && reached.some((block) => losesText(block, event)))) {
    state.isBroken = true
    return [{ type: 'error', errorText: 'The answer was retracted. Please try again.' }]
  }
  if (reached.length === 0) return []
  if (!resets) return leaveBehind(state, event, reached)
  state.shown.retract(event)
  const kept = new Set<unknown>(state.shown.all().map(({ toolUseId }) => toolUseId))
  const tools = [...state.tools]
  state.tools = new Map(tools.filter(([toolCallId, { output }]) => kept.has(toolCallId) || output !== undefined))
  const withoutBlock = [...state.tools].filter(([toolCallId]) => !kept.has(toolCallId)).map(([, tool]) => tool)
  const again = state.shown.all().flatMap((block) => showAgain(state, block))
  return [{ type: 'reset-step' }, ...again, ...withoutBlock.flatMap(toolChunks)]
}

function losesText({ kind, block, text }: ShownBlock, { fromBlock, fromOffset }: TurnRetracted): boolean {
  return kind === 'text' && text.length > (block === fromBlock ? fromOffset : 0)
}

/** Ends what is retracted and starts what remains again, for clients that cannot remove a part. */
function leaveBehind(state: UiState, event: TurnRetracted, reached: readonly ShownBlock[]): readonly UiChunk[] {
  const ends = reached.flatMap((block): readonly UiChunk[] => {
    const part = partTypes[block.kind]
    if (part) return block.isOpen ? [{ type: `${part}-end`, id: block.id }] : []
    const { toolUseId: toolCallId } = block
    if (toolCallId === undefined || state.tools.get(toolCallId)?.output) return []
    state.tools.delete(toolCallId)
    return [{ type: 'tool-output-error', toolCallId, errorText: 'The call was retracted before it was run' }]
  })
  const kept = state.shown.retract(event)
  const part = kept && partTypes[kept.kind]
  return kept && part ? [...ends, { type: `${part}-start`, id: kept.id }] : ends
}

function showAgain(state: UiState, block: ShownBlock): readonly UiChunk[] {
  const part = partTypes[block.kind]
  if (part) {
    const { id, text, isOpen } = block
    const delta: UiChunk[] = text === '' ? [] : [{ type: `${part}-delta`, id, delta: text }]
    return [{ type: `${part}-start`, id }, ...delta, ...(isOpen ? [] : [{ type: `${part}-end`, id }])]
  }
  const { toolUseId: toolCallId, text, isOpen } = block
  if (toolCallId === undefined) return []
  const tool = state.tools.get(toolCallId)
  if (tool && !isOpen) return toolChunks(tool)
  state.tools.delete(toolCallId)
  return [inputStart(block), { type: 'tool-input-delta', toolCallId, inputTextDelta: text }]
}

function toolChunks(tool: { readonly available: UiChunk; progress?: UiChunk; output?: UiChunk }): readonly UiChunk[] {
  return [tool.available, ...(tool.progress ? [tool.progress] : []), ...(tool.output ? [tool.output] : [])]
}

function closeTexts(state: UiState): readonly UiChunk[] {
  const open = state.shown.all().filter(({ isOpen, kind }) => isOpen && partTypes[kind] !== undefined)
  return open.flatMap((block) => finishBlock(state, block))
}

function finishRun(state: UiState, { outcome, stopReason, usage, error }: RunFinished): readonly UiChunk[] {
  const closing = [...closeTexts(state), ...(state.stepFrom > 0 ? [{ type: 'finish-step' }] : [])]
  const failure = outcome === 'failed' ? [{ type: 'error', errorText: error?.message ?? 'The run failed' }] : []
  const finish: UiChunk = {
    type: 'finish',
    finishReason: finishReasonOf(outcome, stopReason),
    messageMetadata: { outcome, usage },
  }
  return [...closing, ...failure, finish]
}

function finishReasonOf(outcome: RunFinished['outcome'], stopReason: string | null): string {
  switch (outcome) {
    case 'completed':
      return 'stop'
    case 'limit':
      return stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded' ? 'length' : 'other'
    case 'refused':
      return 'content-filter'
    case 'failed':
      return 'error'
    case 'interrupted':
      // Not `interrupted`: clients before AI SDK 7 refuse a reason that they do not know.
      return 'other'
  }
}
