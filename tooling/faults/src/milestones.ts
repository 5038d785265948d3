import { type FaultCase, layouts, layoutTurns } from '@millrace/testing'

/** What of a turn has arrived before a fault strikes. */
export interface Arrived {
  /** A client tool's call that can be trusted: from here on the turn is salvaged. */
  readonly call: boolean
  /** Text that is not blank: from here on, who cannot withdraw it is continued. */
  readonly text: boolean
  /** Text that stays, with something of this turn to go on from: text, or the result of a server tool. */
  readonly kept: boolean
  /** An MCP call: `open` without its result, `done` with it. */
  readonly mcp: 'none' | 'open' | 'done'
  /** All blocks and the stop reason: however the connection ends, the turn is there. */
  readonly whole: boolean
}

interface Milestones {
  readonly offsets: readonly number[]
  /** Each the number of events after which it holds, or Infinity. */
  readonly call: number
  readonly text: number
  /** A server tool's result. */
  readonly result: number
  readonly mcpFrom: number
  readonly mcpTo: number
  readonly whole: number
  /** The turn calls a client tool. */
  readonly calls: boolean
  /** The turn ends with a pause. */
  readonly pauses: boolean
  readonly textBefore: boolean
}

function field(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    value,
  )
}

/** Read off the events of the turn alone, by what `docs/recovery.md` says. */
function readMilestones(events: readonly object[], offsets: readonly number[]): Milestones {
  const kinds = new Map<unknown, unknown>()
  const json = new Map<unknown, string>()
  const found = {
    call: Infinity,
    text: Infinity,
    result: Infinity,
    mcpFrom: Infinity,
    mcpTo: Infinity,
    whole: Infinity,
    calls: false,
    pauses: false,
    textBefore: false,
  }
  /** A call without arguments that has stopped: it counts once another block has begun. */
  let emptyCall = false
  /** The blocks that have begun and not stopped. */
  const open = new Set<unknown>()
  for (const [position, event] of events.entries()) {
    const after = position + 1
    const index = field(event, 'index')
    const kind = kinds.get(index)
    switch (field(event, 'type')) {
      case 'message_start':
        // The whole answer, as code that calls tools gets it: nothing that comes after it is missed.
        if (typeof field(event, 'message', 'stop_reason') !== 'string') break
        found.whole = after
        found.calls = field(event, 'message', 'stop_reason') === 'tool_use'
        break
      case 'content_block_start':
        open.add(index)
        kinds.set(index, field(event, 'content_block', 'type'))
        if (kinds.get(index) === 'tool_use') found.calls = true
        if (emptyCall) found.call = Math.min(found.call, after)
        if (/^(web|mcp).*_result$/.test(String(kinds.get(index)))) found.result = Math.min(found.result, after)
        if (kinds.get(index) === 'mcp_tool_use') found.mcpFrom = after
        if (kinds.get(index) === 'mcp_tool_result') found.mcpTo = after
        break
      case 'content_block_delta': {
        const text = field(event, 'delta', 'text')
        if (typeof text === 'string' && text.trim() !== '') found.text = Math.min(found.text, after)
        const piece = field(event, 'delta', 'partial_json')
        json.set(index, (json.get(index) ?? '') + (typeof piece === 'string' ? piece : ''))
        break
      }
      case 'content_block_stop':
        open.delete(index)
        if (kind !== 'tool_use') break
        if ((json.get(index) ?? '').replace(/[\s{}]/g, '') === '') emptyCall = true
        else found.call = Math.min(found.call, after)
        break
      case 'message_delta':
        // A block that lacks its stop may still go on: only message_stop says that it does not.
        if (open.size === 0) found.whole = after
        found.pauses = field(event, 'delta', 'stop_reason') === 'pause_turn'
        break
      case 'message_stop':
        found.whole = Math.min(found.whole, after)
        break
      default:
        break
    }
  }
  return { offsets, ...found }
}

const milestones = new Map<string, Milestones>()
for (const layout of layouts) {
  let before: Milestones | undefined
  for (const { turn, events, offsets } of layoutTurns(layout)) {
    const read = readMilestones(events, offsets)
    const marks = { ...read, textBefore: before?.pauses === true && before.text !== Infinity }
    milestones.set(`${layout.id}/turn:${turn}`, marks)
    before = marks
  }
}

/** What has arrived when the fault of a case strikes. */
export function arrivedBefore({ id }: FaultCase): Arrived {
  const [layout = '', turn = '', fault = ''] = id.split('/')
  const marks = milestones.get(`${layout}/${turn}`)
  const at = /@(event|byte):(\d+)$/.exec(fault)
  if (marks === undefined) return arrivedAt(noMarks, 0)
  // Said of a turn without a call: all arrives, and it is not whole all the same. Of another it is what it says anyway.
  if (fault.startsWith('stop-reason,stopReason=tool_use')) {
    return { ...arrivedAt(marks, Number.MAX_SAFE_INTEGER), whole: marks.calls }
  }
  // The call is taken out of this one, and all else arrives.
  if (fault.startsWith('tool-use-without-tool'))
    return { ...arrivedAt(marks, Number.MAX_SAFE_INTEGER), call: false, whole: false }
  if (at === null) return arrivedAt(marks, 0)
  return arrivedAt(marks, at[1] === 'event' ? Number(at[2]) : wholeEvents(marks.offsets, Number(at[2])))
}

const noMarks: Milestones = { ...readMilestones([], []), textBefore: false }

function arrivedAt(marks: Milestones, events: number): Arrived {
  const text = events >= marks.text
  return {
    call: events >= marks.call,
    text,
    kept: text || (marks.textBefore && events >= marks.result),
    mcp: events >= marks.mcpTo ? 'done' : events >= marks.mcpFrom ? 'open' : 'none',
    whole: events >= marks.whole,
  }
}

/** How many events stand whole before a byte. */
function wholeEvents(offsets: readonly number[], byte: number): number {
  const next = offsets.findIndex((offset) => offset > byte)
  return next === -1 ? offsets.length - 1 : next - 1
}
