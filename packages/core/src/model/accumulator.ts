import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { readUsage } from '../protocol/usage.ts'
import { type AssistantMessage, type ContentBlock, isContentBlock } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import { fault } from '../protocol/faults.ts'
import type { StreamEvent } from './turn-source.ts'

/** What one event added, for whoever shows it. */
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
   * Takes one event. Duplicates and unknown events are passed over.
   *
   * @throws MillraceError `protocol_error` where the event cannot follow what came before
   */
  add(event: StreamEvent): Addition | undefined
  /** All blocks have stopped and the stop reason has arrived: the answer is there, however the connection ends. */
  readonly whole: boolean
  readonly blocks: readonly AccumulatedBlock[]
  block(index: number): AccumulatedBlock | undefined
  /** The message as far as it has arrived; undefined before its start event. */
  message(): AssistantMessage | undefined
}

interface OpenBlock {
  readonly start: ContentBlock
  finished: boolean
  text: string
  signature: string | undefined
  readonly citations: unknown[]
  fields: Readonly<Record<string, unknown>>
  input: ParsedInput | undefined
}

type ParsedInput = { readonly valid: true; readonly value: unknown } | { readonly valid: false }

/** The field that a block's deltas append to. */
const textField: Readonly<Record<string, 'text' | 'thinking'>> = { text: 'text', thinking: 'thinking' }

// oxlint-disable-next-line max-lines-per-function -- short functions over one message
export function createAccumulator(): Accumulator {
  const blocks: OpenBlock[] = []
  let head: Readonly<Record<string, unknown>> | undefined
  let tail: Readonly<Record<string, unknown>> = {}
  let usage: Readonly<Record<string, unknown>> = {}
  let stopReason: string | null = null

  function startMessage(event: StreamEvent): undefined {
    if (!isRecord(event['message'])) throw fault('protocol_error')
    const { usage: given, content: _, ...rest } = event['message']
    if (head !== undefined) {
      // A proxy that retried may splice a second answer into the first; the same start twice is harmless.
      if (head['id'] !== rest['id']) throw fault('protocol_error')
      return
    }
    head = rest
    usage = isRecord(given) ? given : {}
  }

  function startBlock(event: StreamEvent): Addition | undefined {
    const { index, content_block: block } = event
    if (typeof index !== 'number' || !isContentBlock(block)) throw fault('protocol_error')
    const known = blocks[index]
    if (known !== undefined) {
      if (known.start.type !== block.type || known.start['id'] !== block['id']) throw fault('protocol_error')
      return undefined
    }
    if (head === undefined || index !== blocks.length) throw fault('protocol_error')
    const field = textField[block.type]
    const initial = field === undefined ? undefined : block[field]
    blocks.push({
      start: block,
      finished: false,
      text: typeof initial === 'string' ? initial : '',
      signature: undefined,
      citations: [],
      fields: {},
      input: undefined,
    })
    return { type: 'started', index, block }
  }

  function addDelta(event: StreamEvent): Addition | undefined {
    const { index, delta } = event
    const block = typeof index === 'number' ? blocks[index] : undefined
    if (typeof index !== 'number' || block === undefined || !isRecord(delta)) throw fault('protocol_error')
    // A delta for a block that has stopped cannot be placed: better to ask again than to lose it.
    if (block.finished) throw fault('protocol_error')
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
        return undefined
      case 'citations_delta':
        block.citations.push(delta['citation'])
        return undefined
      case 'compaction_delta': {
        const { type: _, ...fields } = delta
        block.fields = { ...block.fields, ...fields }
        return undefined
      }
      default:
        return undefined
    }
  }

  function append(
    block: OpenBlock,
    index: number,
    type: 'text' | 'thinking' | 'input',
    text: unknown,
  ): Addition | undefined {
    if (typeof text !== 'string') throw fault('protocol_error')
    block.text += text
    return text === '' ? undefined : { type, index, text }
  }

  function finishBlock(index: number): Addition | undefined {
    const block = blocks[index]
    if (block === undefined) throw fault('protocol_error')
    if (block.finished) return undefined
    block.finished = true
    if (block.start.type.endsWith('tool_use')) block.input = parseInput(block.text, block.start['input'])
    return { type: 'finished', index }
  }

  function endMessage(event: StreamEvent): undefined {
    if (head === undefined || !isRecord(event['delta'])) throw fault('protocol_error')
    const { stop_reason, ...rest } = event['delta']
    if (typeof stop_reason === 'string') stopReason = stop_reason
    tail = { ...tail, ...dropNulls(rest) }
    // Totals are cumulative; a null says nothing.
    if (isRecord(event['usage'])) usage = { ...usage, ...dropNulls(event['usage']) }
  }

  function stopMessage(): undefined {
    if (stopReason === null) return
    // With eager input streaming the last block may never get its own stop.
    for (const index of blocks.keys()) finishBlock(index)
  }

  return {
    add(event) {
      switch (event.type) {
        case 'message_start':
          return startMessage(event)
        case 'content_block_start':
          return startBlock(event)
        case 'content_block_delta':
          return addDelta(event)
        case 'content_block_stop':
          return finishBlock(typeof event['index'] === 'number' ? event['index'] : -1)
        case 'message_delta':
          return endMessage(event)
        case 'message_stop':
          return stopMessage()
        default:
          return undefined
      }
    },
    get whole() {
      return head !== undefined && stopReason !== null && blocks.every((block) => block.finished)
    },
    block(index) {
      const open = blocks[index]
      return open === undefined ? undefined : describe(open, index)
    },
    get blocks() {
      return blocks.map(describe)
    },
    message() {
      if (head === undefined) return undefined
      return {
        id: '',
        model: '',
        stop_sequence: null,
        ...head,
        ...tail,
        content: blocks.map(build),
        stop_reason: stopReason,
        usage: readUsage(usage),
      }
    },
  }
}

function describe(open: OpenBlock, index: number): AccumulatedBlock {
  return {
    index,
    kind: open.start.type,
    finished: open.finished,
    text: open.text,
    block: build(open),
    validInput: open.input?.valid ?? true,
  }
}

/** The block as the non-streaming answer would hold it. */
function build({ start, text, signature, citations, fields, input }: OpenBlock): ContentBlock {
  const field = textField[start.type]
  return {
    ...start,
    ...(field !== undefined && { [field]: text }),
    ...(signature !== undefined && { signature }),
    ...(citations.length > 0 && { citations: [...existing(start['citations']), ...citations] }),
    ...(input?.valid === true && { input: input.value }),
    ...fields,
  }
}

function existing(citations: unknown): readonly unknown[] {
  return Array.isArray(citations) ? citations : []
}

/** No JSON at all is a call without arguments: the start event's `input` stands, which is also how whole answers come. */
function parseInput(json: string, initial: unknown): ParsedInput {
  if (json === '') return { valid: true, value: isRecord(initial) ? initial : {} }
  try {
    const value: unknown = JSON.parse(json)
    return isRecord(value) ? { valid: true, value } : { valid: false }
  } catch {
    return { valid: false }
  }
}

function dropNulls(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}
