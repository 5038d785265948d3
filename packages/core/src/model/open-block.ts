import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { ContentBlock } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import { endsInHalfPair, wellFormed } from '../kit/well-formed.ts'

/** A content block whose events are arriving. */
export interface OpenBlock {
  readonly start: ContentBlock
  /** The id that the start event has, which may be that of an earlier call. */
  readonly givenId: unknown
  finished: boolean
  /** Whether a delta has arrived. */
  grown: boolean
  text: string
  /** The first half of a surrogate pair that the next delta completes. It is no part of `text`. */
  half: string
  signature: string | undefined
  readonly citations: unknown[]
  fields: Readonly<Record<string, unknown>>
  input: ParsedInput | undefined
}

type ParsedInput = { readonly valid: true; readonly value: unknown } | { readonly valid: false }

/** The field that a block's deltas append to. */
const textField: Readonly<Record<string, 'text' | 'thinking'>> = { text: 'text', thinking: 'thinking' }

/** Opens a block with what its start event holds. */
export function openBlock(start: ContentBlock, givenId: unknown): OpenBlock {
  const field = textField[start.type]
  const initial = field === undefined ? undefined : start[field]
  return {
    start,
    givenId,
    finished: false,
    grown: false,
    text: typeof initial === 'string' ? initial : '',
    half: '',
    signature: undefined,
    citations: [],
    fields: {},
    input: undefined,
  }
}

/** Appends a delta's text and returns what of it is complete: half of a surrogate pair waits for the other half. */
export function appendText(open: OpenBlock, text: string): string {
  const all = open.half + text
  const end = endsInHalfPair(all) ? all.length - 1 : all.length
  open.half = all.slice(end)
  const added = all.slice(0, end).toWellFormed()
  open.text += added
  return added
}

/** Ends the block and returns the text that this adds: U+FFFD for half of a surrogate pair that nothing completed. */
export function closeBlock(open: OpenBlock): string {
  const added = open.half.toWellFormed()
  open.half = ''
  open.text += added
  open.finished = true
  if (open.start.type.endsWith('tool_use')) open.input = parseInput(open.text, open.start['input'])
  return added
}

/** Describes the block as far as it has arrived. */
export function describeBlock(open: OpenBlock, index: number): AccumulatedBlock {
  return {
    index,
    kind: open.start.type,
    finished: open.finished,
    text: open.text,
    block: buildBlock(open),
    validInput: open.input?.valid ?? true,
  }
}

/** Builds the block as the non-streaming answer would hold it. */
export function buildBlock({ start, text, signature, citations, fields, input }: OpenBlock): ContentBlock {
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

/** Parses a call's input. Without any JSON, the input of the start event stands: whole answers bring it there. */
function parseInput(json: string, initial: unknown): ParsedInput {
  if (json === '') return { valid: true, value: isRecord(initial) ? initial : {} }
  try {
    const value: unknown = JSON.parse(json)
    // An escape sequence may stand for half of a surrogate pair.
    return isRecord(value) ? { valid: true, value: wellFormed(value) } : { valid: false }
  } catch {
    return { valid: false }
  }
}
