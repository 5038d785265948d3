import { isRecord } from '@millrace/core/kit'
import { isList, type JsonObject } from '../kit/json.ts'

/** Differences between two loops that are ignored, by name. The README explains each. */
export const normalisations = {
  stream: 'the request asks for a stream, or does not',
  cache_control: 'cache breakpoints are elsewhere in the messages',
  text_form: 'a text is given as a list of one text block',
  null_fields: 'a field is null, or absent',
  empty_citations: 'a text has an empty list of citations, or none',
  result_form: 'a tool result has is_error: false or empty content, or neither',
  result_order: 'tool results are in another order than their calls',
  blank_text: 'blank text, which the API refuses in a request, is left out of history',
  trailing_thinking: 'thinking at the end of a message, which the API refuses as well, is left out',
  container: 'the id of a container is carried to the next request',
  unrun_calls: 'calls of a turn that did not end in tool_use are answered as not run',
  refused_turn: 'a refused answer is left out of history',
} as const

export type Normalisation = keyof typeof normalisations

/** Counts what was ignored on one side. */
export type Count = (name: Normalisation) => void

/** Returns messages in the form in which both sides are compared. */
export function normaliseMessages(messages: readonly JsonObject[], count: Count): JsonObject[] {
  let calls: readonly string[] = []
  return messages.flatMap((message) => {
    const { role, content, ...rest } = message
    const blocks = blocksOf(content, count).map((block) => normaliseBlock(block, count))
    if (role !== 'assistant') return [{ ...rest, role, content: inCallOrder(blocks, calls, count) }]
    calls = blocks.flatMap(({ type, id }) => (type === 'tool_use' && typeof id === 'string' ? [id] : []))
    const kept = withoutRefused(blocks, count)
    return kept.length === 0 ? [] : [{ ...rest, role, content: kept }]
  })
}

/** Returns an answer in the form in which both sides are compared. Its blocks lose only fields without a meaning. */
export function normaliseAnswer(message: JsonObject, count: Count): JsonObject {
  const { content, usage, ...rest } = message
  return {
    ...withoutNulls(rest, count),
    usage: withoutNullsAtAll(usage, count),
    content: isList(content) ? content.map((block) => (isRecord(block) ? evenFields(block, count) : block)) : content,
  }
}

function blocksOf(content: unknown, count: Count): readonly JsonObject[] {
  if (typeof content === 'string') {
    count('text_form')
    return [{ type: 'text', text: content }]
  }
  return isList(content) ? content.filter(isRecord) : []
}

function normaliseBlock(block: JsonObject, count: Count): JsonObject {
  const even = evenFields(block, count)
  if (even['type'] !== 'tool_result') return even
  const { content, is_error: isError, ...rest } = even
  const isEmpty = content === undefined || content === '' || (isList(content) && content.length === 0)
  if (isError === false || (isEmpty && content !== undefined)) count('result_form')
  return {
    ...rest,
    ...(isError === true && { is_error: true }),
    ...(!isEmpty && { content: blocksOf(content, count).map((inner) => evenFields(inner, count)) }),
  }
}

function evenFields(block: JsonObject, count: Count): JsonObject {
  const { cache_control: breakpoint, ...rest } = block
  if (breakpoint !== undefined && breakpoint !== null) count('cache_control')
  const even = withoutNulls(rest, count)
  const { citations, ...others } = even
  if (!isList(citations) || citations.length > 0) return even
  count('empty_citations')
  return others
}

function withoutNulls(fields: JsonObject, count: Count): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      if (value === null) count('null_fields')
      return value !== null
    }),
  )
}

/** Returns usage without fields that are null, in its groups as well. */
function withoutNullsAtAll(value: unknown, count: Count): unknown {
  if (!isRecord(value)) return value
  const filled = Object.entries(withoutNulls(value, count))
  return Object.fromEntries(filled.map(([key, field]) => [key, withoutNullsAtAll(field, count)]))
}

/** Returns the blocks with results in the order of their calls. The API only requires that results come first. */
function inCallOrder(blocks: readonly JsonObject[], calls: readonly string[], count: Count): readonly JsonObject[] {
  const results = blocks.filter(({ type }) => type === 'tool_result')
  const place = ({ tool_use_id: id }: JsonObject): number => calls.indexOf(String(id))
  const sorted = results.toSorted((one, other) => place(one) - place(other))
  if (sorted.every((block, index) => block === results[index])) return blocks
  count('result_order')
  let next = 0
  return blocks.map((block) => (block['type'] === 'tool_result' ? (sorted[next++] ?? block) : block))
}

function withoutRefused(blocks: readonly JsonObject[], count: Count): readonly JsonObject[] {
  const said = blocks.filter(({ type, text }) => type !== 'text' || String(text).trim() !== '')
  if (said.length < blocks.length) count('blank_text')
  const end = said.findLastIndex(({ type }) => type !== 'thinking' && type !== 'redacted_thinking') + 1
  if (end < said.length) count('trailing_thinking')
  return said.slice(0, end)
}
