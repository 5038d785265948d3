import {
  type AgentEvent,
  type BlockFinished,
  checksum,
  type ToolFinished,
  type ToolProgressed,
  type ToolStarted,
} from '@millrace/core'
import { reduceBlocks } from '@millrace/core/reduce'
import type { ClientEvent } from './client-event.ts'
import { emptyView, type RunView, type ToolView, type TurnView } from './view.ts'

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
    case 'text.delta':
    case 'thinking.delta':
    case 'tool.input':
    case 'turn.retracted':
      return onTurn(view, event.turn, (turn) => ({ ...turn, blocks: reduceBlocks(turn.blocks, event) }))
    case 'block.finished':
      return finishBlock(view, event)
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
    case 'run.moving':
      return { ...view, moving: { retryMs: event.retryMs } }
    case 'run.resumed': {
      const { moving, ...rest } = view
      return moving ? rest : view
    }
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

/** Compares a block with what was sent of it. */
function finishBlock(view: RunView, event: BlockFinished): RunView {
  const { turn, block, length } = event
  const finished = onTurn(view, turn, (open) => ({ ...open, blocks: reduceBlocks(open.blocks, event) }))
  if (view.damage !== undefined) return finished
  const shown = finished.turns.find((each) => each.turn === turn)?.blocks.find((each) => each.block === block)
  const { text = '' } = shown ?? {}
  if (text.length === length && checksum(text) === event.checksum) return finished
  return { ...finished, damage: { reason: 'mismatch', turn, block } }
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
