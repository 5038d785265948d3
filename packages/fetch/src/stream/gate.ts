import { isRecord } from '@millrace/core/kit'
import {
  type AccumulatedBlock,
  type Accumulator,
  fault,
  isBlank,
  isContentBlock,
  salvage,
  serverToolResultId,
  type StreamEvent,
} from '@millrace/core/recovery'
import type { ClientMessage, Item } from './client-message.ts'

export interface GateOptions {
  readonly client: ClientMessage
  readonly accumulator: Accumulator
  /** Whether a call's input may be no JSON object. */
  readonly acceptsInvalidInput: (call: AccumulatedBlock) => boolean
  /** Whether calls of client tools are sent as they arrive. */
  readonly passesInput: boolean
  /** Whether `message_start` waits for content as well. */
  readonly holdsStart: boolean
  /** How many bytes may be held back. */
  readonly maxHeld: number
}

/**
 * Decides which events of an attempt the client may have already. An event waits if the client could do nothing with it
 * and an answer that breaks there could not begin again behind it: an unfinished call, the signature of thinking that
 * nothing has followed, a block without content. Everything stays in order.
 */
export interface Gate {
  /** @param source the index of the event's block in the attempt */
  offer(item: Item, source: number): void
  /** Sends what was held back: the answer is whole. */
  open(): void
  /** Sends what was held back up to the last of the calls that are kept of a broken answer. */
  keep(blocks: readonly AccumulatedBlock[]): void
  /** Whether anything of the block of this index in the attempt was sent. */
  hasSent(source: number): boolean
  /** Puts another event in the place of the start of the message, which is held back. */
  replaceStart(item: Item): void
}

type Verdict = 'hold' | 'follow' | 'release'

// oxlint-disable-next-line max-lines-per-function -- short functions over what is held back
export function createGate(options: GateOptions): Gate {
  const { client, accumulator, acceptsInvalidInput, passesInput, holdsStart, maxHeld } = options
  let held: (Item & { readonly source: number })[] = []
  let heldBytes = 0
  /** The call that is arriving. Nothing behind it may be sent before it is whole. */
  let openCall: number | undefined
  /** The blocks of which something was sent. */
  const sent = new Set<number>()
  /** A call is whole, but looks like one that was cut before its first byte, or cannot be salvaged. */
  let hasUntrusted = false

  function release(): void {
    const items = held
    held = []
    heldBytes = 0
    hasUntrusted = false
    for (const item of items) send(item, item.source)
  }

  function send(item: Item, source: number): void {
    sent.add(source)
    client.send(item)
  }

  const isTrusted = (): boolean => salvage(accumulator.blocks, { keepPartialText: true }) !== undefined

  /** Whether nothing is held back but the start of this block of thinking. */
  function isFirstThinking(index: unknown): boolean {
    return held.every(({ event }) => {
      if (event === undefined || event.type === 'ping' || event.type === 'message_start') return true
      return event.type === 'content_block_start' && event['index'] === index
    })
  }

  function judgeStart({ content_block: block }: StreamEvent, source: number): Verdict {
    if (hasUntrusted && isTrusted()) release()
    if (!isRecord(block)) return 'hold'
    if (block['type'] === 'tool_use' && passesInput) return 'release'
    if (String(block['type']).endsWith('tool_use')) openCall ??= source
    // The result of a server tool comes whole, in its start event.
    if (isContentBlock(block) && serverToolResultId(block) !== undefined) return 'release'
    return block['type'] === 'text' && !isBlankText(block['text']) ? 'release' : 'hold'
  }

  function judgeDelta({ index, delta }: StreamEvent): Verdict {
    if (!isRecord(delta)) return 'follow'
    switch (delta['type']) {
      case 'text_delta':
        if (endsInHalfPair(delta['text'])) return 'hold'
        return held.length > 0 && isBlankText(delta['text']) ? 'hold' : 'release'
      case 'thinking_delta':
        return delta['thinking'] !== '' && isFirstThinking(index) ? 'release' : 'follow'
      case 'signature_delta':
        return 'hold'
      default:
        return 'follow'
    }
  }

  function judgeStop(source: number): Verdict {
    const block = accumulator.block(source)
    if (openCall === source) openCall = undefined
    if (block === undefined) return 'follow'
    switch (block.kind) {
      case 'text':
        return 'follow'
      case 'thinking':
      case 'redacted_thinking':
        return 'hold'
      case 'tool_use':
        if (!block.validInput && !acceptsInvalidInput(block)) throw fault('invalid_tool_input')
        if (passesInput) return 'release'
        hasUntrusted = !isTrusted()
        return hasUntrusted ? 'hold' : 'release'
      default:
        return block.validInput ? 'release' : 'hold'
    }
  }

  function judge(event: StreamEvent, source: number): Verdict {
    switch (event.type) {
      case 'message_start': {
        const { message } = event
        const { content, stop_reason }: Readonly<Record<string, unknown>> = isRecord(message) ? message : {}
        const isWhole = typeof stop_reason === 'string' || (Array.isArray(content) && content.length > 0)
        return holdsStart || isWhole ? 'hold' : 'follow'
      }
      case 'content_block_start':
        return judgeStart(event, source)
      case 'content_block_delta':
        return judgeDelta(event)
      case 'content_block_stop':
        return judgeStop(source)
      case 'message_delta':
      case 'message_stop':
        return 'hold'
      default:
        return 'follow'
    }
  }

  return {
    offer(item, source) {
      const verdict = item.event === undefined ? 'follow' : judge(item.event, source)
      if (held.length === 0 && verdict !== 'hold') {
        send(item, source)
        return
      }
      held.push({ ...item, source })
      heldBytes += item.bytes?.length ?? 0
      if (heldBytes > maxHeld) throw fault('buffer_overflow')
      if (verdict === 'release' && openCall === undefined) release()
    },
    open: release,
    keep(blocks) {
      const last = blocks.findLast(({ kind }) => kind === 'tool_use')?.index ?? -1
      const end = held.findLastIndex(({ source }) => source === last) + 1
      for (const item of held.slice(0, end)) send(item, item.source)
      held = []
    },
    hasSent: (source) => sent.has(source),
    replaceStart(item) {
      held = held.map((each) => (each.event?.type === 'message_start' ? { ...item, source: each.source } : each))
    },
  }
}

function isBlankText(text: unknown): boolean {
  return typeof text !== 'string' || isBlank(text)
}

/** Half of a surrogate pair waits for the other half: a continuation could not go on inside a character. */
function endsInHalfPair(text: unknown): boolean {
  if (typeof text !== 'string') return false
  const code = text.charCodeAt(text.length - 1)
  return code >= 0xd800 && code <= 0xdbff
}
