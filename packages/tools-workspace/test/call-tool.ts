import { type Tool, type ToolContext, ToolError, type ToolProgress } from '@millrace/core'

/** What came of a call: `error` is what the model would see as an error result. */
export type Called =
  | { readonly text: string; readonly error?: undefined }
  | { readonly error: string; readonly text?: undefined }

export function contextOf(more: Partial<ToolContext> = {}): ToolContext & { readonly seen: ToolProgress[] } {
  const seen: ToolProgress[] = []
  const { signal } = new AbortController()
  return {
    signal,
    seen,
    progress: (report) => seen.push(report),
    toolUseId: 't',
    idempotencyKey: 'k',
    runId: 'run',
    turn: 1,
    ...more,
  }
}

export function find(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((each) => each.name === name)
  if (tool === undefined) throw new Error(`no tool ${name}`)
  return tool
}

/** Validates and runs, as the loop does. What a tool throws that is no ToolError is a defect, and passes through. */
export async function call(tool: Tool, input: unknown, context: ToolContext = contextOf()): Promise<Called> {
  const prepared = await tool.prepare(input)
  if (prepared.issues !== undefined) return { error: prepared.issues.map(({ message }) => message).join('\n') }
  try {
    return { text: String(await prepared.run(context)) }
  } catch (error) {
    if (error instanceof ToolError) return { error: String(error.content) }
    throw error
  }
}
