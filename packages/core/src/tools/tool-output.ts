import type { ToolResultContent } from '../protocol/events.ts'
import { type ContentBlock, isBlank, isContentBlock, textOf } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import { wellFormed } from '../kit/well-formed.ts'
import { ToolError } from './define-tool.ts'

/** What the model is told of a failure without a message. */
const toolFailed = 'The tool failed'

/** Whether a value is a content block for a `tool_result`. JSON of a tool may have a `type` as well. */
function isResultBlock(value: unknown): value is ContentBlock {
  if (!isContentBlock(value)) return false
  switch (value.type) {
    case 'text':
      return typeof value['text'] === 'string'
    case 'document':
    case 'image':
      return isRecord(value['source'])
    case 'search_result':
      return Array.isArray(value['content'])
    case 'tool_reference':
      return typeof value['tool_name'] === 'string'
    default:
      return false
  }
}

/**
 * Returns the output of a tool as the model sees it: text and content blocks unchanged, undefined as empty text, anything
 * else as JSON.
 *
 * @throws TypeError or RangeError if the output is not JSON (a circle, a BigInt)
 */
export function toResultContent(output: unknown): ToolResultContent {
  if (typeof output === 'string') return output
  if (output === undefined || output === null) return ''
  if (Array.isArray(output) && output.length > 0 && output.every(isResultBlock)) {
    return output.map(wellFormed).filter(isContentBlock)
  }
  return JSON.stringify(output) ?? ''
}

/** Returns what the model is told of a throw. */
export function toErrorContent(error: unknown): ToolResultContent {
  if (error instanceof ToolError) return error.content
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  return typeof error === 'string' && error !== '' ? error : toolFailed
}

/**
 * Returns the part of a result that the API accepts: no half of a surrogate pair, no blank text block, and in an error only
 * text that is not empty.
 */
export function acceptable(content: ToolResultContent, isError: boolean): ToolResultContent {
  if (typeof content === 'string') return isError && isBlank(content) ? toolFailed : content.toWellFormed()
  const kept = content
    .map(wellFormed)
    .filter(isContentBlock)
    .filter((block) => (block.type === 'text' ? !isBlank(textOf(block)) : !isError))
  return isError && kept.length === 0 ? toolFailed : kept
}
