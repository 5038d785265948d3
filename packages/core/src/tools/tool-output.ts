import type { ToolResultContent } from '../protocol/events.ts'
import { type ContentBlock, isBlank, isContentBlock, textOf } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import { wellFormed } from '../kit/well-formed.ts'
import { ToolError } from './define-tool.ts'

/** What the model is told of a failure without words. */
const toolFailed = 'The tool failed'

/** Whether it is a content block that a `tool_result` may hold; JSON of a tool's own may have a `type` as well. */
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
 * What the model is told of a tool's output: text and content blocks as they are, nothing as empty text, anything else
 * as JSON.
 *
 * @throws TypeError or RangeError where the output is no JSON (a circle, a BigInt)
 */
export function toResultContent(output: unknown): ToolResultContent {
  if (typeof output === 'string') return output
  if (output === undefined || output === null) return ''
  if (Array.isArray(output) && output.length > 0 && output.every(isResultBlock)) {
    return output.map(wellFormed).filter(isContentBlock)
  }
  return JSON.stringify(output) ?? ''
}

/** What the model is told of what a tool threw. */
export function toErrorContent(error: unknown): ToolResultContent {
  if (error instanceof ToolError) return error.content
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  return typeof error === 'string' && error !== '' ? error : toolFailed
}

/**
 * What of a result the API takes: no half of a surrogate pair, which is left where text was cut, no blank text block, and
 * in an error some text and nothing else.
 */
export function acceptable(content: ToolResultContent, isError: boolean): ToolResultContent {
  if (typeof content === 'string') return isError && isBlank(content) ? toolFailed : content.toWellFormed()
  const kept = content
    .map(wellFormed)
    .filter(isContentBlock)
    .filter((block) => (block.type === 'text' ? !isBlank(textOf(block)) : !isError))
  return isError && kept.length === 0 ? toolFailed : kept
}
