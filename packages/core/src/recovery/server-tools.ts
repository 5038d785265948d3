import { type ContentBlock, isServerToolUse } from '../protocol/messages.ts'

/**
 * Whether a turn in which Anthropic executed tools may be asked again. `reads`: after searches and fetches, never after
 * the MCP connector or code execution, whose effects would happen twice. Or a function of the tools' names; those of
 * the MCP connector are given as `mcp:<name>`.
 */
export type RetryAfterServerTools = 'always' | 'never' | 'reads' | ((names: readonly string[]) => boolean)

const reads = new Set(['web_search', 'web_fetch', 'tool_search_tool_regex', 'tool_search_tool_bm25', 'tool_search'])

function nameOf(block: ContentBlock): string {
  const name = typeof block['name'] === 'string' ? block['name'] : ''
  return block.type === 'mcp_tool_use' ? `mcp:${name}` : name
}

/** Whether a turn may be asked again after an attempt that got as far as `blocks`. A policy that throws says no. */
export function mayAskAgain(policy: RetryAfterServerTools, blocks: readonly ContentBlock[]): boolean {
  const names = blocks.filter(isServerToolUse).map(nameOf)
  if (names.length === 0) return true
  if (policy === 'always') return true
  if (policy === 'never') return false
  if (policy === 'reads') return names.every((name) => reads.has(name))
  try {
    return policy(names)
  } catch {
    return false
  }
}
