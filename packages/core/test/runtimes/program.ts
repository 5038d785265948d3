import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool } from '@millrace/core'

/** One run with a tool, whose first stream is cut: what it came to, on whichever runtime this runs. */
export async function runOnce(baseURL: string): Promise<string> {
  const client = new Anthropic({ apiKey: 'sk-test', baseURL })
  const lookUp = defineTool({
    name: 'look_up',
    description: 'Looks up an order',
    inputSchema: { jsonSchema: { type: 'object' } },
    async *run(input) {
      yield { progress: 1, total: 2 }
      return { found: input }
    },
  })
  const agent = createAgent({
    client,
    request: { model: 'claude-opus-5-5', max_tokens: 1_000 },
    tools: [lookUp],
    recovery: { backoff: 0 },
  })
  const run = agent.run({ messages: [{ role: 'user', content: 'Where is order 17?' }], mode: 'stream' })
  const seen = new Map<string, number>()
  for await (const { type } of run) seen.set(type, (seen.get(type) ?? 0) + 1)
  const { outcome, text, turns, error } = await run.result
  const count = (type: string): number => seen.get(type) ?? 0
  return JSON.stringify({
    outcome,
    text,
    turns,
    code: error?.code,
    fallbacks: count('fallback'),
    progress: count('tool.progress'),
    finished: count('run.finished'),
  })
}
