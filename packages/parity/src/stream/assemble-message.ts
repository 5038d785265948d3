import { isRecord, parseJson } from '@millrace/core/kit'
import type { StreamEvent } from '@millrace/testing/stream'
import type { RecordedMessage } from '../cassette/cassette.ts'
import { isRecordedMessage } from '../cassette/read-cassette.ts'
import { type JsonObject } from '../kit/json.ts'

/** What a recorded stream held. */
export type Assembled =
  | { readonly status: 'whole'; readonly message: RecordedMessage }
  | { readonly status: 'error'; readonly type: string | undefined }
  | { readonly status: 'cut' }

/**
 * Returns the message that a stream brings, read off its events block by block. It shares no code with Millrace's own
 * accumulator, so that each shows what the other gets wrong.
 */
export function assembleMessage(events: readonly StreamEvent[]): Assembled {
  const start = events.find(({ type }) => type === 'message_start')?.['message']
  if (!isRecord(start)) return errorIn(events) ?? { status: 'cut' }
  const ends = events.filter(({ type }) => type === 'message_delta')
  const stopReasons = ends.map(({ delta }) => (isRecord(delta) ? delta['stop_reason'] : undefined))
  // An answer to code that calls tools may stand in the start event as a whole, stop reason included.
  const stopReason = lastText([start['stop_reason'], ...stopReasons])
  const opened = events.filter(({ type }) => type === 'content_block_start').map(({ index }) => index)
  const indexes = [...new Set(opened)].filter((index) => typeof index === 'number').sort((one, other) => one - other)
  const isStopped = events.some(({ type }) => type === 'message_stop')
  const stopped = new Set(events.filter(({ type }) => type === 'content_block_stop').map(({ index }) => index))
  const isWhole = stopReason !== undefined && (isStopped || indexes.every((index) => stopped.has(index)))
  if (!isWhole) return errorIn(events) ?? { status: 'cut' }
  const byIndex = new Map<unknown, StreamEvent[]>(indexes.map((index) => [index, []]))
  for (const event of events) byIndex.get(event['index'])?.push(event)
  const message = {
    ...start,
    ...ends.reduce<JsonObject>((fields, { delta }) => ({ ...fields, ...filled(delta) }), {}),
    content: [...listOf(start['content']), ...[...byIndex.values()].map(assembleBlock)],
    stop_reason: stopReason,
    usage: ends.reduce<JsonObject>((sum, { usage }) => ({ ...sum, ...filled(usage) }), filledOr(start['usage'])),
  }
  return isRecordedMessage(message) ? { status: 'whole', message } : { status: 'cut' }
}

function assembleBlock(events: readonly StreamEvent[]): JsonObject {
  const start = events.find(({ type }) => type === 'content_block_start')?.['content_block']
  const block = isRecord(start) ? start : {}
  const deltas = events.flatMap(({ type, delta }) => (type === 'content_block_delta' && isRecord(delta) ? [delta] : []))
  const joined = (type: string, field: string): string =>
    deltas.flatMap((delta) => (delta['type'] === type ? [textOf(delta[field])] : [])).join('')
  const citations = deltas.flatMap((delta) => (delta['type'] === 'citations_delta' ? [delta['citation']] : []))
  const signature = lastText(
    deltas.map((delta) => (delta['type'] === 'signature_delta' ? delta['signature'] : undefined)),
  )
  const compaction = deltas.findLast((delta) => delta['type'] === 'compaction_delta')
  const json = joined('input_json_delta', 'partial_json')
  return {
    ...block,
    ...(block['type'] === 'text' && { text: textOf(block['text']) + joined('text_delta', 'text') }),
    ...(block['type'] === 'thinking' && {
      thinking: textOf(block['thinking']) + joined('thinking_delta', 'thinking'),
    }),
    ...(json !== '' && { input: parseJson(json) }),
    ...(citations.length > 0 && { citations: [...listOf(block['citations']), ...citations] }),
    ...(signature !== undefined && { signature }),
    ...(compaction !== undefined && Object.fromEntries(Object.entries(compaction).filter(([key]) => key !== 'type'))),
  }
}

/** Returns the error event of a stream, if it has one. */
function errorIn(events: readonly StreamEvent[]): Assembled | undefined {
  const event = events.find(({ type }) => type === 'error')
  if (event === undefined) return undefined
  const type = isRecord(event['error']) ? event['error']['type'] : undefined
  return { status: 'error', type: typeof type === 'string' ? type : undefined }
}

function filled(fields: unknown): JsonObject {
  return Object.fromEntries(Object.entries(filledOr(fields)).filter(([, value]) => value !== null))
}

function filledOr(fields: unknown): JsonObject {
  return isRecord(fields) ? fields : {}
}

function lastText(values: readonly unknown[]): string | undefined {
  return values.findLast((value) => typeof value === 'string')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
