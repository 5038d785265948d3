import {
  type AgentEvent,
  type BlockFinished,
  type BlockPlace,
  checksum,
  type ToolFinished,
  type ToolProgressed,
  type ToolStarted,
  type TurnRetracted,
} from '@millrace/core'
import type { ClientEvent } from './client-event.ts'
import { type BlockView, emptyView, type RunView, type ToolView, type TurnView } from './view.ts'

/** Applies `events` in order. Returns `view` itself if they change nothing. */
export function reduceEvents(view: RunView, events: Iterable<ClientEvent>): RunView {
  let next = view
  for (const event of events) next = reduceEvent(next, event)
  return next
}

/** Applies one event. Ignores an event that is in the view already, and notes a gap as `damage`. */
export function reduceEvent(view: RunView, event: ClientEvent): RunView {
  if (event.type === 'reset') return { ...emptyView, ...(view.runId !== undefined && { runId: view.runId }) }
  if (event.seq <= view.seq) return view
  const isGap = event.seq !== view.seq + 1 && view.damage === undefined
  const seen: RunView = isGap
    ? { ...view, seq: event.seq, damage: { reason: 'gap', expected: view.seq + 1, received: event.seq } }
    : { ...view, seq: event.seq }
  return event.type === 'unknown' ? seen : apply(seen, event)
}

function apply(view: RunView, event: AgentEvent): RunView {
  switch (event.type) {
    case 'run.started': {
      const { runId, sessionId, decision } = event
      return { ...view, status: 'running', runId, decision, ...(sessionId !== undefined && { sessionId }) }
    }
    case 'turn.started': {
      const { turn, attempt, mode } = event
      return onTurn(view, turn, (open) => ({ ...open, attempt, mode }))
    }
    case 'block.started':
      return onBlock(view, event, event.kind, (block) => ({ ...block, open: true }))
    case 'text.delta':
      return onBlock(view, event, 'text', (block) => ({ ...block, text: block.text + event.text }))
    case 'thinking.delta':
      return onBlock(view, event, 'thinking', (block) => ({ ...block, text: block.text + event.text }))
    case 'tool.input': {
      const { toolUseId, name, json } = event
      return onBlock(view, event, 'tool_use', (block) => ({ ...block, toolUseId, name, text: block.text + json }))
    }
    case 'block.finished':
      return finishBlock(view, event)
    case 'turn.retracted':
      return onTurn(view, event.turn, (turn) => ({ ...turn, blocks: retract(turn.blocks, event) }))
    case 'turn.finished': {
      const { turn, attempt, mode, stopReason, usage, salvaged = false } = event
      return onTurn(view, turn, (open) => ({ ...open, attempt, mode, stopReason, usage, salvaged, finished: true }))
    }
    case 'tool.started':
    case 'tool.progress':
    case 'tool.finished':
      return onTool(view, event)
    case 'fallback':
      return view
    case 'run.finished': {
      const { outcome, stopReason, usage, error } = event
      return { ...view, status: 'finished', outcome, stopReason, usage, ...(error && { error }) }
    }
  }
}

function onTurn(view: RunView, turn: number, change: (turn: TurnView) => TurnView): RunView {
  const index = view.turns.findLastIndex((known) => known.turn === turn)
  const known = view.turns[index]
  if (known) return { ...view, turns: view.turns.with(index, change(known)) }
  const opened: TurnView = {
    turn,
    attempt: 1,
    mode: 'stream',
    blocks: [],
    finished: false,
    stopReason: null,
    salvaged: false,
  }
  return { ...view, turns: [...view.turns, change(opened)] }
}

function onBlock(view: RunView, place: BlockPlace, kind: string, change: (block: BlockView) => BlockView): RunView {
  return onTurn(view, place.turn, (turn) => {
    const index = turn.blocks.findLastIndex(({ block }) => block === place.block)
    const known = turn.blocks[index]
    if (known) return { ...turn, blocks: turn.blocks.with(index, change(known)) }
    const opened = change({ block: place.block, kind, text: '', open: true })
    return { ...turn, blocks: insert(turn.blocks, opened) }
  })
}

function insert(blocks: readonly BlockView[], opened: BlockView): readonly BlockView[] {
  const before = blocks.findLastIndex(({ block }) => block < opened.block) + 1
  return blocks.toSpliced(before, 0, opened)
}

function finishBlock(view: RunView, event: BlockFinished): RunView {
  const { turn, block, kind, length } = event
  let text = ''
  const finished = onBlock(view, event, kind, (open) => {
    text = open.text
    return { ...open, open: false }
  })
  if (view.damage !== undefined || (text.length === length && checksum(text) === event.checksum)) return finished
  return { ...finished, damage: { reason: 'mismatch', turn, block } }
}

function retract(blocks: readonly BlockView[], { fromBlock, fromOffset }: TurnRetracted): readonly BlockView[] {
  return blocks.flatMap((block) => {
    if (block.block < fromBlock) return [block]
    if (block.block > fromBlock || fromOffset === 0) return []
    return [{ ...block, text: block.text.slice(0, fromOffset), open: true }]
  })
}

function onTool(view: RunView, event: ToolStarted | ToolProgressed | ToolFinished): RunView {
  const index = view.tools.findLastIndex(({ toolUseId }) => toolUseId === event.toolUseId)
  const known = view.tools[index]
  const { toolUseId, name, turn } = event
  const tool = changeTool(known ?? { toolUseId, name, turn, input: undefined, status: 'running' }, event)
  return { ...view, tools: known ? view.tools.with(index, tool) : [...view.tools, tool] }
}

function changeTool(tool: ToolView, event: ToolStarted | ToolProgressed | ToolFinished): ToolView {
  switch (event.type) {
    case 'tool.started':
      return { ...tool, input: event.input }
    case 'tool.progress': {
      const { progress, total, message, data, elapsedMs } = event
      return {
        ...tool,
        elapsedMs,
        ...(progress !== undefined && { progress }),
        ...(total !== undefined && { total }),
        ...(message !== undefined && { message }),
        ...(data !== undefined && { data }),
      }
    }
    case 'tool.finished': {
      const { input, outcome, result, durationMs, reused } = event
      return { ...tool, input, status: outcome, result, durationMs, ...(reused !== undefined && { reused }) }
    }
  }
}
