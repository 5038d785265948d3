import Anthropic from '@anthropic-ai/sdk'
import { type AgentOptions, createAgent, defineTool, type LocalAgent, type RunStore, type Tool } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import { createHandler, type Handler, type HandlerOptions } from '@millrace/server'
import { type ClaudeOptions, type ScriptedClaude, startClaude, text, thinking, toolUse } from '@millrace/testing'
import { onTestFinished } from 'vitest'

/** Two turns: thinking, text, a tool with progress; then the answer. */
const orderScript: ClaudeOptions['script'] = [
  { content: [thinking('I look it up.'), text('One moment. '), toolUse('look_up', { id: 7 }, { id: 'toolu_order' })] },
  { content: [text('Order 7 is on its way: it will be there "tomorrow" – 明日, \u{1f389}.')] },
]

export const orderText = 'One moment. Order 7 is on its way: it will be there "tomorrow" – 明日, \u{1f389}.'

export const question: { readonly role: 'user'; readonly content: string } = {
  role: 'user',
  content: 'Where is order 7?',
}

const lookUp: Tool = defineTool({
  name: 'look_up',
  description: 'Looks up an order.',
  inputSchema: { jsonSchema: { type: 'object', properties: { id: { type: 'integer' } } } },
  readOnly: true,
  async run(_input, { progress }) {
    progress({ progress: 1, total: 2, message: 'half way' })
    return 'on its way'
  },
})

export interface Served {
  readonly handler: Handler
  readonly agent: LocalAgent
  readonly claude: ScriptedClaude
  readonly runs: RunStore
  readonly errors: unknown[]
}

export interface ServeOptions {
  readonly script?: ClaudeOptions['script']
  readonly claude?: Omit<ClaudeOptions, 'script'>
  readonly agent?: Partial<AgentOptions>
  readonly handler?: Partial<HandlerOptions>
}

/** A handler over a real agent with the real SDK, over the scripted model. */
export async function serveAgent(options: ServeOptions = {}): Promise<Served> {
  const claude = await startClaude({ ...options.claude, script: options.script ?? orderScript })
  onTestFinished(() => claude.close())
  const runs = options.handler?.runs ?? memoryRunStore()
  const { recovery, ...rest } = options.agent ?? {}
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'sk-secret-key', baseURL: claude.url, maxRetries: 0 }),
    request: { model: 'claude-opus-5-5', max_tokens: 1_000 },
    tools: [lookUp],
    journal: runJournal(runs),
    recovery: { backoff: 0, ...recovery },
    ...rest,
  })
  const errors: unknown[] = []
  const handler = createHandler({ agent, runs, onError: (error) => void errors.push(error), ...options.handler })
  return { handler, agent, claude, runs, errors }
}
