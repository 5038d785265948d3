import type { ToolResultContent } from '@millrace/core'

/** Returns the text of a tool result. Other content is named. */
export function toolResultText(result: ToolResultContent): string {
  if (typeof result === 'string') return result
  return result.map((block) => (typeof block['text'] === 'string' ? block['text'] : `[${block.type}]`)).join('\n')
}
