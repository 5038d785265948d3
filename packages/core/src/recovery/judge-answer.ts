import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { MillraceError } from '../kit/errors.ts'
import { type AssistantMessage, type ContentBlock, isBlank, textOf } from '../protocol/messages.ts'
import { fault } from '../protocol/faults.ts'

/** Returns what is wrong with an answer that has arrived whole, if anything is. */
export function judgeAnswer(
  message: AssistantMessage,
  blocks: readonly AccumulatedBlock[],
  acceptsInvalidInput: (call: AccumulatedBlock) => boolean,
): MillraceError | undefined {
  if (isEmpty(message)) return fault('empty_answer')
  if (message.stop_reason !== 'tool_use') return undefined
  const calls = blocks.filter(({ kind }) => kind === 'tool_use')
  if (calls.length === 0) return fault('protocol_error')
  const invalid = calls.some((call) => !call.validInput && !acceptsInvalidInput(call))
  return invalid ? fault('invalid_tool_input') : undefined
}

/**
 * Whether a gateway has taken a failure for an answer: it says that the model is done, and holds neither content nor a
 * token. A model that has nothing to add, as behind a tool result, spends a token to say so.
 */
function isEmpty({ stop_reason, content, usage }: AssistantMessage): boolean {
  if (stop_reason !== 'end_turn' || usage.output_tokens > 0) return false
  return content.every((block) => block.type === 'text' && isBlank(textOf(block)) && !isCited(block))
}

function isCited({ citations }: ContentBlock): boolean {
  return Array.isArray(citations) && citations.length > 0
}
