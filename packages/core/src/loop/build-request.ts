import type { Message } from '../protocol/messages.ts'
import type { RequestBody } from '../model/model-client.ts'
import type { RunContext } from './run-context.ts'
import type { Tool } from '../tools/define-tool.ts'

/** Returns the body of the next request: the agent's parameters, the run's over them, the conversation, the tools. */
export function buildRequest(
  { settings, input, state }: RunContext,
  tools: ReadonlyMap<string, Tool>,
  messages: readonly Message[],
): RequestBody {
  const { tools: serverTools, ...parameters } = settings.request
  const definitions = [...[...tools.values()].map(({ definition }) => definition), ...list(serverTools)]
  return {
    ...parameters,
    ...(state.container !== undefined && { container: state.container }),
    ...input.request,
    ...(definitions.length > 0 && { tools: definitions }),
    messages,
  }
}

function list(tools: unknown): readonly unknown[] {
  return Array.isArray(tools) ? tools : []
}
