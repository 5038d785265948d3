import type { ToolUseBlock } from '../protocol/messages.ts'

/** A call and its position in the turn. */
export interface PlacedCall {
  readonly call: ToolUseBlock
  readonly position: number
}

/** Groups calls. Calls of one toolset act on one thing (a browser, a screen) and run in order; others run alone. */
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
