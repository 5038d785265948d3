import { isRecord } from '../kit/guards.ts'
import type { ContentBlock } from '../protocol/messages.ts'

/** What makes two blocks of two attempts the same one. */
export interface BlockIdentity {
  readonly index: number
  readonly kind: string
  readonly toolUseId: string
  readonly name: string
}

/** Returns what identifies a block of a start event, or of history. */
export function identify(index: number, block: ContentBlock): BlockIdentity {
  const { id, name } = block
  return {
    index,
    kind: block.type,
    toolUseId: typeof id === 'string' ? id : '',
    name: typeof name === 'string' ? name : '',
  }
}

/** What a start event holds already: all of it where the answer came in one body. */
export function initialText(block: ContentBlock): string {
  const { text, thinking, input } = block
  if (block.type === 'text') return typeof text === 'string' ? text : ''
  if (block.type === 'thinking') return typeof thinking === 'string' ? thinking : ''
  if (!isCall(block.type)) return ''
  return isRecord(input) && Object.keys(input).length > 0 ? JSON.stringify(input) : ''
}

/** A call without arguments is shown as one with an empty object, whether its JSON was sent or not. */
export function emptyInput({ type }: ContentBlock): string {
  return isCall(type) ? '{}' : ''
}

/** Whether a block is a call, whose text is the JSON of its input. */
export function isCall(kind: string): boolean {
  return kind.endsWith('tool_use')
}
