import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, type AgentOptions, createAgent, defineTool, type RunStore, type Tool } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import { type ClaudeOptions, type ScriptedClaude, startClaude, text, thinking, toolUse } from '@millrace/testing'
import { ndjsonDecoder, sseDecoder } from '@millrace/wire'
import { onTestFinished } from 'vitest'
import { createHandler, type Handler, type HandlerOptions } from '../../src/index.ts'

export const origin = 'http://millrace.test'

/** Two turns with thinking, a tool and text. */
const script: ClaudeOptions['script'] = [
  { content: [thinking('I look it up.'), text('One moment. '), toolUse('look_up', { id: 7 })] },
  { content: [text('Order 7 is on its way, and it will be there tomorrow.')] },
]

const lookUp: Tool = defineTool({
  name: 'look_up',
  description: 'Looks up an order.',
  inputSchema: { jsonSchema: { type: 'object', properties: { id: { type: 'integer' } } } },
  readOnly: true,
  run(_input, { progress }) {
    progress({ progress: 1, total: 2, message: 'half way' })
    return 'on its way'
  },
})

export interface Served {
  readonly handler: Handler
  readonly claude: ScriptedClaude
  readonly runs: RunStore
  /** Everything that went to `onError`. */
  readonly errors: unknown[]
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>
}

export interface ServeOptions {
  readonly script?: ClaudeOptions['script']
  readonly claude?: Omit<ClaudeOptions, 'script'>
  readonly agent?: Partial<AgentOptions>
  readonly handler?: Partial<HandlerOptions>
  readonly runs?: RunStore
}

/** A handler over a real agent, over the scripted model. */
export async function serve(options: ServeOptions = {}): Promise<Served> {
  const claude = await startClaude({ ...options.claude, script: options.script ?? script })
  onTestFinished(() => claude.close())
  const { runs = memoryRunStore() } = options
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
  return {
    handler,
    claude,
    runs,
    errors,
    post: (path, body, headers = {}) =>
      handler.fetch(
        new Request(`${origin}${path}`, {
          method: 'POST',
          headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
          body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        }),
      ),
    get: (path, headers = {}) => handler.fetch(new Request(`${origin}${path}`, { headers })),
  }
}

/** The events of a response, by its content type. */
export async function readEvents(response: Response): Promise<AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const event of readEach(response)) events.push(event)
  return events
}

/** The same, one by one as they arrive. */
export async function* readEach(response: Response): AsyncIterable<AgentEvent> {
  const type = response.headers.get('content-type') ?? ''
  const decoder = type.startsWith('text/event-stream') ? sseDecoder() : ndjsonDecoder()
  const reader = response.body?.getReader()
  for (;;) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) return
    for (const event of decoder.push(chunk.value)) if (event.type !== 'unknown') yield event
  }
}

/** The text that a reader of the events ends up with. */
export function textOf(events: readonly AgentEvent[]): string {
  const blocks = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'text.delta') {
      const key = `${event.turn}/${event.block}`
      blocks.set(key, (blocks.get(key) ?? '') + event.text)
    }
    if (event.type !== 'turn.retracted') continue
    for (const [key, value] of blocks) {
      const [turn, block] = key.split('/').map(Number)
      if (turn !== event.turn || block === undefined || block < event.fromBlock) continue
      blocks.set(key, block === event.fromBlock ? value.slice(0, event.fromOffset) : '')
    }
  }
  return [...blocks.values()].join('')
}

export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  const body: Record<string, unknown> = await response.json()
  return body
}
