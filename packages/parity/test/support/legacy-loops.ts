import Anthropic from '@anthropic-ai/sdk'
import type { Fetch } from '../../src/index.ts'

/** What a legacy loop is given. */
export interface LegacyLoop {
  readonly baseURL: string
  readonly fetch?: Fetch
  readonly question?: string
  readonly stream?: boolean
  /** Asks the beta surface. Its stream helper knows blocks that the other one loses. */
  readonly beta?: boolean
  readonly maxRetries?: number
  /** Answers a call. Default: says what was asked. */
  readonly tool?: (name: string, input: unknown) => Promise<ToolAnswer> | ToolAnswer
  /** Further parameters of each request, by the turn. */
  readonly parameters?: (turn: number) => Readonly<Record<string, unknown>>
}

export interface ToolAnswer {
  readonly content: Anthropic.ToolResultBlockParam['content']
  readonly isError?: boolean
}

export const apiKey = 'sk-test-0123456789abcdef'

const goesOn: readonly (string | null)[] = ['tool_use', 'pause_turn', 'compaction']

/** The loop that a team may have: it asks until the model is done, and keeps history as the SDK gives it. */
export async function runLegacyLoop(options: LegacyLoop): Promise<Anthropic.MessageParam[]> {
  const { baseURL, question = 'What is new?', stream = false, beta = false } = options
  const { fetch, maxRetries = 0, parameters = () => ({}) } = options
  const { tool = echo } = options
  const client = new Anthropic({ apiKey, baseURL, maxRetries, ...(fetch !== undefined && { fetch }) })
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: question }]
  for (let turn = 1; ; turn++) {
    const body = { model: 'claude-opus-5-5', max_tokens: 1_000, tools, messages, ...parameters(turn) }
    const message = await ask(client, body, stream, beta)
    messages.push({ role: 'assistant', content: message.content })
    if (!goesOn.includes(message.stop_reason)) return messages
    const calls = message.content.filter((block) => block.type === 'tool_use')
    const results = await Promise.all(
      calls.map(async ({ id, name, input, ...rest }): Promise<Anthropic.ToolResultBlockParam> => {
        const { content, isError = false } = await tool(name, input)
        const toolset = 'toolset_name' in rest ? rest.toolset_name : undefined
        return {
          type: 'tool_result',
          tool_use_id: id,
          ...(content !== undefined && { content }),
          ...(isError && { is_error: true }),
          ...(typeof toolset === 'string' && { toolset_name: toolset }),
        }
      }),
    )
    if (results.length > 0) messages.push({ role: 'user', content: results })
  }
}

function echo(name: string, input: unknown): ToolAnswer {
  return { content: `${name}: ${JSON.stringify(input)}` }
}

async function ask(
  client: Anthropic,
  body: Anthropic.MessageCreateParamsNonStreaming,
  stream: boolean,
  beta: boolean,
): Promise<Anthropic.Message> {
  if (!beta) return stream ? client.messages.stream(body).finalMessage() : client.messages.create(body)
  const message: unknown = stream
    ? await client.beta.messages.stream(body).finalMessage()
    : await client.beta.messages.create(body)
  if (!isMessage(message)) throw new TypeError('unreachable')
  return message
}

/** A beta message has more kinds of blocks, which this loop only sends back. */
function isMessage(message: unknown): message is Anthropic.Message {
  return typeof message === 'object' && message !== null && 'content' in message
}

const tools: Anthropic.Tool[] = ['look_up', 'charge'].map((name) => ({
  name,
  description: `Does ${name}`,
  input_schema: { type: 'object' },
}))
