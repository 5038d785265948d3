import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import type { ContentBlock, Turn } from './turn.ts'
import { textPieces } from '../stream/message-events.ts'

/** Phrases by which a user message asks the model to go on with an answer that was cut off. */
const asksToGoOn = /continue|go on|carry on|left off|cut off|where you (?:were|stopped)|interrupted/i

/** Returns the blocks of a message's content. A string is one text block. */
export function contentBlocks(message: JsonObject): readonly ContentBlock[] {
  const { content } = message
  if (isString(content)) return [{ type: 'text', text: content }]
  if (!Array.isArray(content)) return []
  return content.flatMap((block) => (isObject(block) && isString(block.type) ? [{ ...block, type: block.type }] : []))
}

/** Returns all text of the blocks, joined. */
export function joinText(blocks: readonly ContentBlock[]): string {
  return blocks.map((block) => (block.type === 'text' ? [...textPieces(block)].join('') : '')).join('')
}

/** Whether this is a user message that asks to go on with a broken answer and has no tool result. */
export function isGoOn(message: JsonObject | undefined): boolean {
  if (message?.role !== 'user') return false
  const blocks = contentBlocks(message)
  return !blocks.some((block) => block.type === 'tool_result') && asksToGoOn.test(joinText(blocks))
}

/**
 * Returns the partial texts that the end of the conversation may be continuing, the longest first, since an answer may
 * have been cut off more than once. Returns none unless the last message asks to go on.
 */
export function partialTexts(messages: readonly JsonObject[]): readonly string[] {
  const partials: string[] = []
  let text = ''
  for (let last = messages.length - 1; last >= 1 && isGoOn(messages[last]);) {
    let first = last - 1
    while (first >= 0 && messages[first]?.role === 'assistant') first--
    const said = messages.slice(first + 1, last).map(contentBlocks)
    if (said.length === 0 || said.flat().some((block) => block.type === 'tool_use')) break
    // Of several messages in a row, the first ones may be an earlier answer that ended with a pause.
    for (let from = said.length - 1; from >= 0; from--) {
      const partial = joinText(said.slice(from).flat()) + text
      if (partial !== '') partials.unshift(partial)
    }
    text = joinText(said.flat()) + text
    last = first
  }
  return partials
}

/**
 * Returns what is left of `turn` after `partial` of its text was said, or undefined if its text does not begin with
 * `partial`. A tool call before the cut is made again: the client has kept text alone, so the call still has to be
 * made.
 */
export function remainderOf(turn: Turn, partial: string): Turn | undefined {
  if (!joinText(turn.content).startsWith(partial)) return undefined
  let left = partial.length
  const content: ContentBlock[] = []
  for (const block of turn.content) {
    if (left === 0 || block.type === 'tool_use') content.push(block)
    else if (block.type === 'text') {
      const text = joinText([block])
      if (text.length > left) content.push({ ...block, text: text.slice(left) })
      left = Math.max(0, left - text.length)
    }
  }
  return { ...turn, content }
}
