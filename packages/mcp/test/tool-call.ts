import type { Tool, ToolContext, ToolProgress } from '@millrace/core'

/** The context of a call, with the progress that was reported to it. */
export function contextOf(
  signal: AbortSignal = new AbortController().signal,
): ToolContext & { readonly seen: ToolProgress[] } {
  const seen: ToolProgress[] = []
  return {
    signal,
    seen,
    progress: (report) => seen.push(report),
    toolUseId: 't',
    idempotencyKey: 'k',
    runId: 'r',
    turn: 1,
  }
}

/** Validates the input and runs the tool, as the loop does. */
export async function runTool(tool: Tool | undefined, input: unknown, context: ToolContext): Promise<unknown> {
  const prepared = await tool?.prepare(input)
  if (prepared === undefined) throw new Error('there is no such tool')
  if (prepared.issues !== undefined) throw new Error(prepared.issues.map(({ message }) => message).join('\n'))
  return prepared.run(context)
}
