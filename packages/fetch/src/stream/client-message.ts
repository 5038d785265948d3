import type { AssistantMessage, Usage } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { isBlank, isContentBlock, type StreamEvent, textOf } from '@millrace/core/recovery'

/** An event on its way to the client, with the block indices that the client knows. */
export interface Item {
  /** Undefined for a frame without data. */
  readonly event: StreamEvent | undefined
  /** As upstream sent it, if it needs no change. */
  readonly bytes: Uint8Array | undefined
}

/** A block that the client has been given. */
export interface ClientBlock {
  readonly kind: string
  finished: boolean
  /** Whether text that is not blank was sent of it, since the last `mark`. */
  said: boolean
}

/** The message as the client has it, over all attempts. It only grows: the client cannot take anything back. */
export interface ClientMessage {
  readonly blocks: readonly ClientBlock[]
  /** Whether `message_start` has been sent. */
  readonly started: boolean
  /** Whether `message_stop` has been sent. */
  readonly ended: boolean
  /** The last block, if it has not been stopped. */
  readonly open: ClientBlock | undefined
  /** Whether anything was sent since the last `mark` that another answer must follow, instead of taking its place. */
  readonly isBound: boolean
  /** The answer goes on from here. */
  mark(): void
  send(item: Item): void
  /** Stops the open block. */
  closeBlock(): void
  /** Ends the message with what `message` says of its end. */
  end(message: Pick<AssistantMessage, 'stop_reason' | 'stop_sequence'>, usage: Usage): void
}

const encoder = new TextEncoder()

export function encodeEvent(event: StreamEvent): Uint8Array {
  return encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
}

/** What the API says at the end of a message, beside its stop reason. */
const fieldsOfTheEnd = ['stop_details', 'container'] as const

// oxlint-disable-next-line max-lines-per-function -- short functions over one message
export function createClientMessage(emit: (item: Item) => void): ClientMessage {
  const blocks: ClientBlock[] = []
  let marked = 0
  let started = false
  let toldEnd = false
  let ended = false

  const write = (event: StreamEvent): void => emit({ event, bytes: undefined })
  const openBlock = (): ClientBlock | undefined => {
    const last = blocks.at(-1)
    return last?.finished === false ? last : undefined
  }

  function closeBlock(): void {
    const open = openBlock()
    if (open === undefined) return
    open.finished = true
    write({ type: 'content_block_stop', index: blocks.length - 1 })
  }

  function add(block: unknown, finished: boolean): void {
    if (!isContentBlock(block)) return
    blocks.push({ kind: block.type, finished, said: !isBlank(textOf(block)) })
  }

  /** Takes note of an event that is about to be sent. Returns false for one that the client must not see. */
  function note(event: StreamEvent): boolean {
    switch (event.type) {
      case 'message_start': {
        const { message } = event
        const content = isRecord(message) ? message['content'] : []
        for (const block of Array.isArray(content) ? content : []) add(block, true)
        if (isRecord(message) && typeof message['stop_reason'] === 'string') toldEnd = true
        started = true
        return true
      }
      case 'content_block_start':
        // Some gateways leave the stop out, which some clients wait for.
        closeBlock()
        add(event['content_block'], false)
        return true
      case 'content_block_delta': {
        const { delta } = event
        const open = openBlock()
        if (open?.said === false && isRecord(delta) && typeof delta['text'] === 'string')
          open.said = !isBlank(delta['text'])
        return true
      }
      case 'content_block_stop': {
        const open = openBlock()
        if (open === undefined) return false
        open.finished = true
        return true
      }
      case 'message_delta':
        closeBlock()
        toldEnd = true
        return true
      case 'message_stop':
        ended = true
        return true
      default:
        return true
    }
  }

  return {
    blocks,
    get started() {
      return started
    },
    get ended() {
      return ended
    },
    get open() {
      return openBlock()
    },
    get isBound() {
      return blocks
        .slice(marked)
        .some(({ kind, said, finished }) => (kind === 'text' ? said : finished && !canBeLeft.test(kind)))
    },
    mark() {
      const open = openBlock()
      marked = open === undefined ? blocks.length : blocks.length - 1
      if (open !== undefined) open.said = false
    },
    send(item) {
      if (item.event === undefined || note(item.event)) emit(item)
    },
    closeBlock,
    end(message, usage) {
      closeBlock()
      if (!toldEnd) {
        const { stop_reason, stop_sequence } = message
        const rest = Object.entries(message).filter(([field]) => fieldsOfTheEnd.some((each) => each === field))
        const delta = { stop_reason, stop_sequence, ...Object.fromEntries(rest) }
        write({ type: 'message_delta', delta, usage })
      }
      if (!ended) write({ type: 'message_stop' })
      toldEnd = true
      ended = true
    },
  }
}

/** Thinking, and calls of server tools whose result has not come: the answer may begin again behind them. */
const canBeLeft = /thinking$|^(server|mcp)_tool_use$/
