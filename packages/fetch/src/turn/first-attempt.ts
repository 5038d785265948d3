import type { ContentBlock } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import {
  type Addition,
  createAccumulator,
  isContentBlock,
  judgeAnswer,
  type StreamEvent,
} from '@millrace/core/recovery'
import { createGate } from '../stream/gate.ts'
import { emptied, eventsOf } from './answer-events.ts'
import type { Attempt, AttemptOptions } from './attempt.ts'

/** A start event that holds content, until the next event says whether that counts. */
interface PrefilledStart {
  readonly event: StreamEvent
  readonly content: readonly ContentBlock[]
}

/**
 * An attempt whose bytes can go to the client as they are, because the client has nothing of an earlier one. Its events are
 * parsed once, to know what the client has if the connection breaks.
 */
// oxlint-disable-next-line max-lines-per-function -- short functions over one answer
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
    hasSent: (index) => gate.hasSent(index),
    keep: (kept) => gate.keep(kept),
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

function sameIds(block: ContentBlock, given: unknown): boolean {
  return (
    isContentBlock(given) &&
    given['id'] === block['id'] &&
    given['tool_use_id'] === block['tool_use_id'] &&
    JSON.stringify(given['caller']) === JSON.stringify(block['caller'])
  )
}
