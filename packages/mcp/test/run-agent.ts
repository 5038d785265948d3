import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, type AgentRun, createAgent, type Middleware, type Tool } from '@millrace/core'
import { type Script, startClaude } from '@millrace/testing'

export interface Finished {
  readonly events: readonly AgentEvent[]
  readonly result: Awaited<AgentRun['result']>
}

/** Runs a real agent with `tools` against a scripted model, and returns all its events. */
export async function runAgent(options: {
  readonly script: Script
  readonly tools: readonly Tool[] | (() => readonly Tool[])
  readonly use?: readonly Middleware[]
  readonly onEvent?: (event: AgentEvent, run: AgentRun) => void
}): Promise<Finished> {
  const { script, tools, use = [], onEvent } = options
  await using claude = await startClaude({ script })
  const client = new Anthropic({ baseURL: claude.url, apiKey: 'test' })
  const agent = createAgent({ client, request: { model: 'claude-opus-4-5', max_tokens: 1000 }, tools, use })
  const run = agent.run({ messages: [{ role: 'user', content: 'Go' }] })
  const events: AgentEvent[] = []
  for await (const event of run) {
    events.push(event)
    onEvent?.(event, run)
  }
  return { events, result: await run.result }
}

/** Returns the events of one type. */
export function ofType<Type extends AgentEvent['type']>(
  events: readonly AgentEvent[],
  type: Type,
): Extract<AgentEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<AgentEvent, { type: Type }> => event.type === type)
}
