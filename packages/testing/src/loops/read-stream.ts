import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import type { ContentBlock } from '../script/turn.ts'
import { AskError, checkAnswer, type TurnAnswer } from './ask.ts'

/** Is told what arrives while a stream is read. */
export interface StreamObserver {
  /** Text arrived. */
  onText(text: string): void
  /** A block has all its content. */
  onBlock(block: ContentBlock): void
}

interface OpenMessage {
  readonly blocks: Record<string, unknown>[]
  readonly json: Map<number, string>
  readonly open: Set<number>
  id: unknown
  stopReason: string | undefined
}

/** What an incomplete stream counts as. Only a mutant takes it for an answer. */
export type IncompleteStream = 'error' | 'success'

/** Reads an event stream to its end. Rejects with an `AskError` unless it brings a whole answer. */
export async function readStream(
  response: Response,
  alive: () => void,
  observer: StreamObserver,
  incomplete: IncompleteStream,
): Promise<TurnAnswer> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    throw new AskError('no_event_stream', true)
  }
  const message: OpenMessage = { blocks: [], json: new Map(), open: new Set(), id: undefined, stopReason: undefined }
  const decoder = new TextDecoder()
  let buffer = ''
  try {
    for await (const bytes of response.body ?? []) {
      alive()
      buffer += decoder.decode(bytes, { stream: true })
      const frames = buffer.split('\n\n')
      buffer = frames.pop() ?? ''
      for (const frame of frames) takeFrame(frame, message, observer)
    }
  } catch (error) {
    if (!isWhole(message) && incomplete === 'error') throw error
  }
  if (!isWhole(message) && incomplete === 'error') throw new AskError('stream_ended_early', true)
  const content = message.blocks.map((block) => ({ ...block, type: String(block.type) }))
  return checkAnswer({ content, stopReason: message.stopReason ?? 'end_turn' })
}

function isWhole({ open, stopReason }: OpenMessage): boolean {
  return stopReason !== undefined && open.size === 0
}

function takeFrame(frame: string, message: OpenMessage, observer: StreamObserver): void {
  const data = frame.split('\n').find((line) => line.startsWith('data: '))
  if (data === undefined) return
  const event = parseObject(data.slice(6))
  const index = typeof event.index === 'number' ? event.index : 0
  switch (event.type) {
    case 'message_start':
      startMessage(isObject(event.message) ? event.message : {}, message, observer)
      return
    case 'error':
      throw new AskError('error_event', true)
    case 'content_block_start':
      message.blocks[index] = isObject(event.content_block) ? { ...event.content_block } : {}
      message.open.add(index)
      return
    case 'content_block_delta':
      takeDelta(isObject(event.delta) ? event.delta : {}, index, message, observer)
      return
    case 'content_block_stop':
      if (message.open.delete(index)) observer.onBlock(closeBlock(index, message))
      return
    case 'message_delta':
      if (isObject(event.delta) && isString(event.delta.stop_reason)) message.stopReason = event.delta.stop_reason
      return
    default:
  }
}

function startMessage(start: JsonObject, message: OpenMessage, observer: StreamObserver): void {
  if (message.id !== undefined && message.id !== start.id) throw new AskError('two_messages', true)
  message.id = start.id
  // An answer to code that calls tools may stand in message_start as a whole.
  if (!isString(start.stop_reason) || !Array.isArray(start.content)) return
  message.stopReason = start.stop_reason
  for (const block of start.content.filter(isObject)) {
    message.blocks.push({ ...block })
    if (isString(block.text)) observer.onText(block.text)
    observer.onBlock({ ...block, type: String(block.type) })
  }
}

function takeDelta(delta: JsonObject, index: number, message: OpenMessage, observer: StreamObserver): void {
  const block = message.blocks[index]
  if (block === undefined) return
  if (isString(delta.text)) {
    block.text = `${String(block.text)}${delta.text}`
    observer.onText(delta.text)
  }
  if (isString(delta.thinking)) block.thinking = `${String(block.thinking)}${delta.thinking}`
  if (isString(delta.signature)) block.signature = delta.signature
  if (isString(delta.partial_json)) message.json.set(index, (message.json.get(index) ?? '') + delta.partial_json)
  if (isObject(delta.citation))
    block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
}

function closeBlock(index: number, message: OpenMessage): ContentBlock {
  const block = message.blocks[index] ?? {}
  const json = message.json.get(index)
  if (json !== undefined && json !== '') block.input = parseObject(json)
  return { ...block, type: String(block.type) }
}

function parseObject(json: string): JsonObject {
  try {
    const value: unknown = JSON.parse(json)
    if (isObject(value)) return value
  } catch {
    // Thrown below, as for JSON that is not an object.
  }
  throw new AskError('garbage', true)
}
