import { type Answer, messageJson } from '../script/answer.ts'
import { type FaultPosition, leakCanary, type StreamFault } from '../faults/fault.ts'
import { isObject } from '../kit/guards.ts'
import { bytesStep, type Step } from './response-plan.ts'
import { formatEvent, type StreamEvent } from '../stream/sse.ts'

type EventStep = Step & { readonly type: 'bytes'; readonly event: StreamEvent }

const garbage = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del\n\n'

/** What a fault may need to know about its response. */
interface Faulted {
  readonly answer: Answer
  readonly requestId: string
}

/** Yields the steps of a stream with a fault among its events. */
export function* faultedSteps(steps: Iterable<Step>, fault: StreamFault, response: Faulted): Generator<Step> {
  const track = createTracker(fault)
  let index = 0
  for (const step of steps) {
    if (!isEventStep(step)) {
      yield step
      continue
    }
    const isHere = index === eventIndex('at' in fault ? fault.at : undefined)
    index++
    yield* faultedEvent(step, fault, { ...response, isHere, track })
    track.see(step)
    if (isHere && fault.kind === 'error-event') return
  }
}

function isEventStep(step: Step): step is EventStep {
  return step.type === 'bytes' && step.event !== undefined
}

/** Returns the index of the event at a position. These faults lie between events, so a byte means the first one. */
function eventIndex(at: FaultPosition | undefined): number {
  return at !== undefined && 'event' in at ? at.event : 0
}

interface Context extends Faulted {
  readonly isHere: boolean
  readonly track: Tracker
}

function* faultedEvent(step: EventStep, fault: StreamFault, context: Context): Generator<Step> {
  const { isHere, track } = context
  const { event } = step
  switch (fault.kind) {
    case 'error-event': {
      const error = { type: fault.errorType, message: `Something failed: ${leakCanary}` }
      yield isHere ? bytesStep(formatEvent({ type: 'error', error, request_id: context.requestId })) : step
      return
    }
    case 'garbage-line':
      if (isHere) yield bytesStep(garbage)
      if (!isHere || fault.mode === 'add') yield step
      return
    case 'duplicate-event':
      yield step
      if (isHere || fault.at === undefined) yield step
      return
    case 'second-message-start':
      if (isHere && track.messageStart !== undefined) yield secondStart(track.messageStart, fault.id)
      yield step
      return
    case 'replay':
      if (isHere) yield* track.replayed
      yield step
      return
    case 'no-message-stop':
      if (event.type !== 'message_stop') yield step
      return
    case 'no-final-blank-line':
      yield event.type === 'message_stop' ? { ...step, bytes: step.bytes.subarray(0, -1) } : step
      return
    case 'unknown-event':
      if (isHere) yield bytesStep(formatEvent({ type: 'aurora', colour: 'green' }))
      yield step
      return
    case 'unknown-delta':
      if (isHere) {
        const delta = { type: 'aurora_delta', colour: 'green' }
        yield bytesStep(formatEvent({ type: 'content_block_delta', index: track.openBlock ?? 0, delta }))
      }
      yield step
      return
    case 'tool-json-cut':
      if (!track.isToolJsonBeyond(event, fault.piece)) yield step
      return
    case 'unstopped-block':
      if (!(event.type === 'content_block_stop' && event.index === (fault.block ?? 0))) yield step
      return
    case 'no-signature':
      if (!(isObject(event.delta) && event.delta.type === 'signature_delta')) yield step
      return
    case 'prefilled-start':
      if (event.type === 'message_start') yield prefilledStart(context.answer)
      if (event.type === 'message_stop') yield step
      return
    case 'unknown-field':
      yield changed(step, (text) => text.replace('\n', '\nx-trace: 1\n'))
      return
    case 'byte-order-mark':
      yield event.type === 'message_start' ? changed(step, (text) => `\u{feff}${text}`) : step
      return
    default:
      fault satisfies never
  }
}

/** Returns the event in other bytes. */
function changed(step: EventStep, change: (text: string) => string): Step {
  // A decoder drops a byte order mark by default: one that another quirk has added must stay.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return bytesStep(change(decoder.decode(step.bytes)), step.event)
}

function prefilledStart(answer: Answer): Step {
  const message: unknown = JSON.parse([...messageJson(answer)].join(''))
  const event = { type: 'message_start', message }
  return bytesStep(formatEvent(event), event)
}

function secondStart(first: StreamEvent, id: 'same' | 'other'): Step {
  const message = isObject(first.message) ? first.message : {}
  const again = id === 'same' ? first : { ...first, message: { ...message, id: 'msg_01anotherMessageAltogether' } }
  return bytesStep(formatEvent(again))
}

interface Tracker {
  readonly messageStart: StreamEvent | undefined
  readonly openBlock: number | undefined
  /** The events so far, if the fault replays them. They are not kept otherwise, since an answer may be large. */
  readonly replayed: readonly Step[]
  see(step: EventStep): void
  /**
   * Whether this event is the given piece of the first tool call's JSON, or a later one. The empty first fragment
   * counts as none.
   */
  isToolJsonBeyond(event: StreamEvent, piece: number): boolean
}

function createTracker(fault: StreamFault): Tracker {
  const replayed: Step[] = []
  let messageStart: StreamEvent | undefined
  let openBlock: number | undefined
  let toolBlock: unknown
  let pieces = 0
  return {
    get messageStart() {
      return messageStart
    },
    get openBlock() {
      return openBlock
    },
    replayed,
    see(step) {
      const { event } = step
      if (fault.kind === 'replay') replayed.push(step)
      if (event.type === 'message_start') messageStart = event
      if (event.type === 'content_block_stop') openBlock = undefined
      if (event.type !== 'content_block_start' || typeof event.index !== 'number') return
      openBlock = event.index
      if (isObject(event.content_block) && event.content_block.type === 'tool_use') toolBlock ??= event.index
    },
    isToolJsonBeyond(event, piece) {
      if (event.type !== 'content_block_delta' || event.index !== toolBlock || !isObject(event.delta)) return false
      if (event.delta.partial_json === '') return false
      return pieces++ >= piece
    },
  }
}
