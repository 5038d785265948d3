import { isRecord } from '../kit/guards.ts'
import type { ContentBlock } from '../protocol/messages.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'

/** What makes two blocks of two attempts the same one. */
export interface BlockIdentity {
  readonly index: number
  readonly kind: string
  /** Empty for a block that is no call. */
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

/** Whether a shown block may be this one. The id of a call is shown with the first piece of its input. */
export function isSame({ kind, toolUseId = '' }: ShownBlock, block: BlockIdentity): boolean {
  return kind === block.kind && (toolUseId === '' || toolUseId === block.toolUseId)
}

/** Returns what a start event holds already: all of it if the answer came in one body. A call without input has `{}`. */
export function initialText(block: ContentBlock): string {
  const { text, thinking, input } = block
  if (block.type === 'text') return typeof text === 'string' ? text : ''
  if (block.type === 'thinking') return typeof thinking === 'string' ? thinking : ''
  if (!isCall(block.type)) return ''
  return isRecord(input) ? JSON.stringify(input) : '{}'
}

/** Whether a block is a call, whose text is the JSON of its input. */
export function isCall(kind: string): boolean {
  return kind.endsWith('tool_use')
}
