import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { readUsage } from '../protocol/usage.ts'
import { type AssistantMessage, type ContentBlock, isContentBlock } from '../protocol/messages.ts'
import { createCallIds } from '../protocol/call-ids.ts'
import { isRecord } from '../kit/guards.ts'
import { wellFormed } from '../kit/well-formed.ts'
import { fault } from '../protocol/faults.ts'
import { appendText, buildBlock, closeBlock, describeBlock, type OpenBlock, openBlock } from './open-block.ts'
import type { StreamEvent } from './turn-source.ts'

/** What one event added, for what shows it. */
export type Addition =
  | { readonly type: 'started'; readonly index: number; readonly block: ContentBlock }
  | { readonly type: 'text' | 'thinking' | 'input'; readonly index: number; readonly text: string }
  | { readonly type: 'finished'; readonly index: number }

/**
 * Builds the assistant message from the events of one attempt, whichever source they come from. Linear: text is
 * appended, tool JSON is kept raw and parsed once, strictly, when its block ends.
 */
export interface Accumulator {
  /**
   * Takes one event and returns what it added. Duplicates and unknown events add nothing.
   *
   * @throws MillraceError `protocol_error` where the event cannot follow what came before
   */
  add(event: StreamEvent): readonly Addition[]
  /** All blocks have stopped and the stop reason has arrived: the answer is there, however the connection ends. */
  readonly whole: boolean
  /** The answer is whole, and no further event can add to it. */
  readonly ended: boolean
  readonly blocks: readonly AccumulatedBlock[]
  block(index: number): AccumulatedBlock | undefined
  /** The message as far as it has arrived; undefined before its start event. */
  message(): AssistantMessage | undefined
}

const nothing: readonly Addition[] = []

/** @param history the blocks of the conversation so far, whose calls have their ids already */
// oxlint-disable-next-line max-lines-per-function -- short functions over one message
export function createAccumulator(history: readonly ContentBlock[] = []): Accumulator {
  let callIds = createCallIds(history)
  const blocks: OpenBlock[] = []
  let head: Readonly<Record<string, unknown>> | undefined
  let tail: Readonly<Record<string, unknown>> = {}
  let usage: Readonly<Record<string, unknown>> = {}
  /** The stop reason that the end of the message has said or confirmed. */
  let stopReason: string | null = null
  /** The stop reason of the start event. It counts where no block follows, or `message_stop` follows directly. */
  let givenReason: string | null = null
  /** Whether `blocks` are those of the start event, of which nothing is shown: the next event confirms them or not. */
  let prefilled = false
  /** Whether an event of a block has arrived. */
  let streamed = false

  function startMessage(event: StreamEvent): readonly Addition[] {
    const message = wellFormed(event['message'])
    if (!isRecord(message)) throw fault('protocol_error')
    const { usage: given, content, stop_reason, ...rest } = message
    if (head !== undefined) {
      // A proxy that retried may splice another answer into this one, or send this one again from its start. Before
      // the first block, the same start twice is harmless.
      if (head['id'] !== rest['id'] || streamed) throw fault('protocol_error')
      return nothing
    }
    head = rest
    usage = isRecord(given) ? given : {}
    if (typeof stop_reason === 'string') givenReason = stop_reason
    // Programmatic tool calling sends the calls here, and no event of their own.
    for (const block of Array.isArray(content) ? content : []) closeBlock(add(block))
    prefilled = blocks.length > 0
    return nothing
  }

  /** Decides about the blocks of the start event, at the first event behind it. */
  function confirmPrefilled({ type }: StreamEvent, index: number): readonly Addition[] {
    if (!prefilled) return nothing
    prefilled = false
    if (type === 'content_block_start' && index < blocks.length) {
      // The events say it all again, as from a gateway that makes a stream of a whole answer.
      blocks.length = 0
      callIds = createCallIds(history)
      return nothing
    }
    return blocks.flatMap((block, at): Addition[] => {
      const started: Addition = { type: 'started', index: at, block: block.start }
      if (type !== 'content_block_delta' || at !== index) return [started, { type: 'finished', index: at }]
      block.finished = false
      return [started]
    })
  }

  function add(given: unknown): OpenBlock {
    const start = wellFormed(given)
    if (!isContentBlock(start)) throw fault('protocol_error')
    const block = openBlock(callIds.claim(start), start['id'])
    blocks.push(block)
    return block
  }

  function startBlock({ content_block: block }: StreamEvent, index: number): readonly Addition[] {
    const known = blocks[index]
    if (known !== undefined) {
      // The same start twice is harmless, but not behind a delta, where its deltas would come twice as well.
      const isRepeated = known.grown && !known.finished
      const isSame = isContentBlock(block) && known.start.type === block.type && known.givenId === block['id']
      if (isRepeated || !isSame) throw fault('protocol_error')
      return nothing
    }
    if (head === undefined || index !== blocks.length) throw fault('protocol_error')
    return [{ type: 'started', index, block: add(block).start }]
  }

  function addDelta({ delta }: StreamEvent, index: number): readonly Addition[] {
    const block = blocks[index]
    // A delta for a block that has stopped cannot be placed: better to ask again than to lose it.
    if (block === undefined || block.finished || !isRecord(delta)) throw fault('protocol_error')
    block.grown = true
    switch (delta['type']) {
      case 'text_delta':
        return append(block, index, 'text', delta['text'])
      case 'thinking_delta':
        return append(block, index, 'thinking', delta['thinking'])
      case 'input_json_delta':
        return append(block, index, 'input', delta['partial_json'])
      case 'signature_delta':
        // Sent whole, each replacing the one before.
        if (typeof delta['signature'] === 'string') block.signature = delta['signature']
        break
      case 'citations_delta':
        block.citations.push(wellFormed(delta['citation']))
        break
      case 'compaction_delta': {
        const { type: _, ...fields } = delta
        const clean = wellFormed(fields)
        if (isRecord(clean)) block.fields = { ...block.fields, ...clean }
        break
      }
      default:
        // Deltas that are not known yet add nothing.
        break
    }
    return nothing
  }

  function append(
    block: OpenBlock,
    index: number,
    type: 'text' | 'thinking' | 'input',
    text: unknown,
  ): readonly Addition[] {
    if (typeof text !== 'string') throw fault('protocol_error')
    const added = appendText(block, text)
    return added === '' ? nothing : [{ type, index, text: added }]
  }

  function finishBlock(index: number): readonly Addition[] {
    const block = blocks[index]
    if (block === undefined) throw fault('protocol_error')
    if (block.finished) return nothing
    const text = closeBlock(block)
    const { type } = block.start
    const finished: Addition = { type: 'finished', index }
    if (text === '') return [finished]
    return [{ type: type === 'text' || type === 'thinking' ? type : 'input', index, text }, finished]
  }

  function endMessage(event: StreamEvent): readonly Addition[] {
    const delta = wellFormed(event['delta'])
    if (head === undefined || !isRecord(delta)) throw fault('protocol_error')
    const { stop_reason, ...rest } = delta
    if (typeof stop_reason === 'string') stopReason = stop_reason
    tail = { ...tail, ...dropNulls(rest) }
    // Totals are cumulative; a null says nothing.
    if (isRecord(event['usage'])) usage = { ...usage, ...dropNulls(event['usage']) }
    return nothing
  }

  function stopMessage(): readonly Addition[] {
    stopReason ??= givenReason
    if (stopReason === null) return nothing
    // With eager input streaming the last block may never get its own stop.
    return [...blocks.keys()].flatMap(finishBlock)
  }

  /** Takes an event of a block, or of the end, behind what the start event held. */
  function take(event: StreamEvent, index: number): readonly Addition[] {
    switch (event.type) {
      case 'content_block_start':
        return startBlock(event, index)
      case 'content_block_delta':
        return addDelta(event, index)
      case 'content_block_stop':
        return finishBlock(index)
      case 'message_delta':
        return endMessage(event)
      default:
        return stopMessage()
    }
  }

  function reason(): string | null {
    const counts = blocks.length > 0 && !streamed
    return stopReason ?? (counts ? givenReason : null)
  }

  function isWhole(): boolean {
    return head !== undefined && reason() !== null && blocks.every((block) => block.finished)
  }

  return {
    add(event) {
      if (event.type === 'message_start') return startMessage(event)
      if (!follows.has(event.type)) return nothing
      const index = typeof event['index'] === 'number' ? event['index'] : -1
      const confirmed = confirmPrefilled(event, index)
      streamed ||= event.type.startsWith('content_block')
      const added = take(event, index)
      return confirmed.length === 0 ? added : [...confirmed, ...added]
    },
    get whole() {
      return isWhole()
    },
    get ended() {
      return stopReason !== null && isWhole()
    },
    block(index) {
      const open = blocks[index]
      return open === undefined ? undefined : describeBlock(open, index)
    },
    get blocks() {
      return blocks.map(describeBlock)
    },
    message() {
      if (head === undefined) return undefined
      return {
        id: '',
        model: '',
        stop_sequence: null,
        ...head,
        ...tail,
        content: blocks.map(buildBlock),
        stop_reason: reason(),
        usage: readUsage(usage),
      }
    },
  }
}

/** The events that add to a message behind its start. */
const follows = new Set([
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
])

function dropNulls(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}
