import type { ToolUseBlock } from '../protocol/messages.ts'

/** A call, and where it stands in its turn. */
export interface PlacedCall {
  readonly call: ToolUseBlock
  readonly position: number
}

/** Calls of one toolset act on one thing (a browser, a screen) and run one after the other; others on their own. */
export function inSequence(calls: readonly ToolUseBlock[]): PlacedCall[][] {
  const groups: PlacedCall[][] = []
  const toolsets = new Map<string, PlacedCall[]>()
  for (const [position, call] of calls.entries()) {
    const toolset = call['toolset_name']
    const group = typeof toolset === 'string' ? toolsets.get(toolset) : undefined
    if (group !== undefined) {
      group.push({ call, position })
      continue
    }
    const started = [{ call, position }]
    groups.push(started)
    if (typeof toolset === 'string') toolsets.set(toolset, started)
  }
  return groups
}
