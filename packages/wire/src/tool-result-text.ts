import type { ToolResultContent } from '@millrace/core'

/** The text of a tool result; what is no text is named. */
export function toolResultText(result: ToolResultContent): string {
  if (typeof result === 'string') return result
  return result.map((block) => (typeof block['text'] === 'string' ? block['text'] : `[${block.type}]`)).join('\n')
}
