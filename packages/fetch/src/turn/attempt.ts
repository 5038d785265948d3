import type { AssistantMessage, ContentBlock } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import {
  type AccumulatedBlock,
  type Addition,
  createAccumulator,
  createRepetitionFilter,
  isContentBlock,
  judgeAnswer,
  type StreamEvent,
} from '@millrace/core/recovery'
import type { ClientMessage } from '../stream/client-message.ts'
import type { Frame } from '../stream/frame-reader.ts'
import { createGate, type GateOptions } from '../stream/gate.ts'
import { eventsOf } from './answer-events.ts'

export interface AttemptOptions extends Omit<GateOptions, 'accumulator'> {
  /** The content of the conversation so far, whose calls have their ids already. */
  readonly history: readonly ContentBlock[]
  /** The text that this answer goes on from; empty if it goes on from none. */
  readonly said: string
  /** Whether calls with an id of an earlier one get another. */
  readonly repairsIds: boolean
  /** Told of what arrived, as soon as the client may have it. */
  readonly onAddition: (addition: Addition) => void
}

/** One answer of upstream, on its way to the client. */
export interface Attempt {
  /**
   * Takes the next frame.
   *
   * @throws MillraceError the fault, if the answer cannot go on
   */
  take(frame: Frame): void
  /** Whether the client has anything of the block of this index in the attempt. */
  hasSent(index: number): boolean
  /** Sends what is kept of an answer that broke and was not sent yet. */
  keep(blocks: readonly AccumulatedBlock[]): void
  /** Sends the rest of an answer that is whole, however the connection ended. Throws what is wrong with it. */
  finish(): void
  /** Whether the answer is whole, and nothing can add to it. */
  readonly ended: boolean
  readonly whole: boolean
  /** What arrived, without what repeats `said`. */
  readonly blocks: readonly AccumulatedBlock[]
  readonly message: AssistantMessage | undefined
}

/** A start event that holds content, until the next event says whether that counts. */
interface PrefilledStart {
  readonly event: StreamEvent
  readonly content: readonly ContentBlock[]
}

/**
 * An attempt whose bytes can go to the client as they are, because the client has nothing of an earlier one. Its events are
 * parsed once, to know what the client has if the connection breaks.
 */
export function createFirstAttempt(options: AttemptOptions): Attempt {
  const { client, history, repairsIds, acceptsInvalidInput, onAddition } = options
  const accumulator = createAccumulator(history)
  const gate = createGate({ ...options, accumulator })
  let prefilled: PrefilledStart | undefined
  let hasStart = false
  let isJudged = false

  function judge(): void {
    const message = accumulator.message()
    const wrong = message === undefined ? undefined : judgeAnswer(message, accumulator.blocks, acceptsInvalidInput)
    if (wrong !== undefined) throw wrong
    isJudged = true
  }

  /**
   * Decides what the client gets of a start event that holds content: nothing, if the events behind it say it all again, and
   * text as the deltas that bring it otherwise, because some clients read nothing else. Calls stay where they are.
   */
  function confirm({ content, event: start }: PrefilledStart, next: StreamEvent, additions: readonly Addition[]): void {
    prefilled = undefined
    const isRepeated = next.type === 'content_block_start' && additions.length === 1 && next['index'] === 0
    if (!isRepeated && !content.some(({ type }) => type === 'text' || type === 'thinking')) return
    gate.replaceStart({ event: emptied(start), bytes: undefined })
    if (isRepeated) return
    for (const addition of additions) {
      if (addition.index >= content.length) continue
      for (const event of eventsOf(addition, addition.index, accumulator.block(addition.index))) {
        gate.offer({ event, bytes: undefined }, addition.index)
      }
    }
    const message = accumulator.message()
    if (next.type !== 'message_stop' || message === undefined) return
    const { stop_reason, stop_sequence, usage } = message
    const event = { type: 'message_delta', delta: { stop_reason, stop_sequence }, usage }
    gate.offer({ event, bytes: undefined }, -1)
  }

  /** Returns the event as the client may see it: none if it says again what has been said. */
  function adapt(event: StreamEvent, additions: readonly Addition[]): StreamEvent | undefined {
    switch (event.type) {
      case 'message_start': {
        if (hasStart) return undefined
        hasStart = true
        const { message } = event
        const given = isRecord(message) ? message['content'] : []
        const content = Array.isArray(given) ? given.filter(isContentBlock) : []
        if (content.length > 0) prefilled = { event, content }
        return event
      }
      case 'content_block_start': {
        const started = additions.find(({ type, index }) => type === 'started' && index === event['index'])
        if (started?.type !== 'started') return undefined
        const isChanged = repairsIds && !sameIds(started.block, event['content_block'])
        return isChanged ? { ...event, content_block: started.block } : event
      }
      case 'content_block_stop':
        return additions.length === 0 ? undefined : event
      default:
        return event
    }
  }

  return {
    take({ event, bytes }) {
      if (event === undefined || event.type === 'ping') return gate.offer({ event, bytes }, -1)
      if (client.ended) return client.send({ event, bytes })
      const additions = accumulator.add(event)
      if (prefilled !== undefined && event.type !== 'message_start') confirm(prefilled, event, additions)
      const adapted = adapt(event, additions)
      if (adapted !== undefined) {
        const index = event['index']
        const item = { event: adapted, bytes: adapted === event ? bytes : undefined }
        gate.offer(item, typeof index === 'number' ? index : -1)
      }
      for (const addition of additions) onAddition(addition)
      if (!accumulator.ended) return
      if (!isJudged) judge()
      gate.open()
    },
    hasSent: gate.hasSent,
    keep: gate.keep,
    finish() {
      if (!isJudged) judge()
      gate.open()
      const message = accumulator.message()
      if (message !== undefined && !client.ended) client.end(message, message.usage)
    },
    get ended() {
      return accumulator.ended
    },
    get whole() {
      return accumulator.whole
    },
    get blocks() {
      return accumulator.blocks
    },
    get message() {
      return accumulator.message()
    },
  }
}

export interface LaterOptions extends AttemptOptions {
  /** Adds what was used before it to the usage of this answer. */
  readonly totalUsage: (usage: AssistantMessage['usage']) => AssistantMessage['usage']
}

/** An attempt behind one that broke: its events go on where the client's message is, under its block indices. */
export function createLaterAttempt(options: LaterOptions): Attempt {
  const { client, history, said, acceptsInvalidInput, onAddition, totalUsage } = options
  const accumulator = createAccumulator(history)
  const gate = createGate({ ...options, accumulator })
  const repetition = createRepetitionFilter(said)
  /** By the block's index in this answer: its index for the client. Absent for one that the client does not get. */
  const indices = new Map<number, number>()
  let nextIndex = client.blocks.length
  /** Whether the open text of the client still waits for its rest. */
  let joins = client.open?.kind === 'text'

  function place({ index, block: { type } }: Extract<Addition, { type: 'started' }>): boolean {
    if (joins && type.endsWith('thinking')) return false
    const goesOn = joins && type === 'text'
    joins = false
    indices.set(index, goesOn ? nextIndex - 1 : nextIndex++)
    return !goesOn
  }

  function offer(addition: Addition): void {
    const isNew = addition.type !== 'started' || place(addition)
    const index = indices.get(addition.index)
    if (index === undefined) return
    const events = eventsOf(addition, index, accumulator.block(addition.index))
    for (const event of isNew ? events : events.slice(1)) gate.offer({ event, bytes: undefined }, addition.index)
    onAddition(addition)
  }

  function finish(): void {
    const message = accumulator.message()
    if (message === undefined || client.ended) return
    const wrong = judgeAnswer(message, accumulator.blocks, acceptsInvalidInput)
    if (wrong !== undefined) throw wrong
    for (const unsaid of repetition.end()) offer(unsaid)
    gate.open()
    client.end(message, totalUsage(message.usage))
  }

  return {
    take({ event }) {
      if (event === undefined || client.ended) return
      if (event.type === 'ping') {
        if (client.started) client.send({ event, bytes: undefined })
        return
      }
      const additions = accumulator.add(event)
      if (event.type === 'message_start' && !client.started && additions.length === 0) {
        gate.offer({ event: emptied(event), bytes: undefined }, -1)
      }
      for (const addition of additions) for (const unsaid of repetition.add(addition)) offer(unsaid)
      if (accumulator.ended) finish()
    },
    hasSent: gate.hasSent,
    keep: gate.keep,
    finish,
    get ended() {
      return accumulator.ended
    },
    get whole() {
      return accumulator.whole
    },
    get blocks() {
      return repetition.trim(accumulator.blocks)
    },
    get message() {
      return accumulator.message()
    },
  }
}

/** The start of a message as one of which nothing has arrived yet. */
function emptied(event: StreamEvent): StreamEvent {
  const { message } = event
  return isRecord(message)
    ? { ...event, message: { ...message, content: [], stop_reason: null, stop_sequence: null } }
    : event
}

function sameIds(block: ContentBlock, given: unknown): boolean {
  return (
    isContentBlock(given) &&
    given['id'] === block['id'] &&
    given['tool_use_id'] === block['tool_use_id'] &&
    JSON.stringify(given['caller']) === JSON.stringify(block['caller'])
  )
}
