import { type ScriptedClaude, startClaude } from '@millrace/testing'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type AgentRun, createAgent, defineTool, type ModelClient, type RunResult, ToolError } from '../../src/index.ts'
import { contentBlockTypes } from '../../src/protocol/known-types.ts'
import { anyConversation, type Conversation, kindsOf } from '../support/arbitrary-conversations.ts'
import { clientOf, eventsOf, only, question, request } from '../support/scripted.ts'

const inputSchema = { jsonSchema: { type: 'object' } }
const tools = [
  defineTool({ name: 'look_up', description: '', inputSchema, readOnly: true, run: (input) => ({ found: input }) }),
  defineTool({ name: 'strict', description: '', inputSchema: z.object({ order: z.string() }), run: () => 'ok' }),
  defineTool({
    name: 'broken',
    description: '',
    inputSchema,
    run() {
      throw new ToolError([{ type: 'text', text: 'It is broken.' }])
    },
  }),
]

let claude: ScriptedClaude
let script: Conversation = []
beforeAll(async () => {
  claude = await startClaude({ script: (asked) => script[asked.turn - 1] ?? { content: [] } })
})
afterAll(() => claude.close())

/** A client whose promises give no bytes, only events, as Bedrock's does. */
function withoutBytes({ messages }: ReturnType<typeof clientOf>): ModelClient {
  return {
    messages: {
      create: async (...args: Parameters<typeof messages.create>) => await messages.create(...args),
    },
  }
}

interface Outcome {
  readonly result: Omit<RunResult, 'runId'>
  /** What was asked of the model, but for `stream`. */
  readonly asked: readonly unknown[]
  readonly turns: readonly unknown[]
  readonly shown: string
}

async function outcomeOf(run: AgentRun, first: number): Promise<Outcome> {
  const events = await eventsOf(run)
  const { runId: _, ...result } = await run.result
  const records = claude.requests.filter(({ index }) => index >= first)
  expect(records.map(({ status, error }) => [status, error])).toEqual(records.map(() => [200, undefined]))
  return {
    result,
    asked: records.map(({ body = {} }) => ({ ...body, stream: undefined })),
    turns: only(events, 'turn.finished').map(({ stopReason, usage, content }) => ({ stopReason, usage, content })),
    shown: only(events, 'text.delta')
      .map(({ text }) => text)
      .join(''),
  }
}

async function runIn(mode: 'stream' | 'buffered', client: ModelClient): Promise<Outcome> {
  const agent = createAgent({ client, request, tools, recovery: { backoff: 0 } })
  const first = (claude.requests.at(-1)?.index ?? -1) + 1
  return outcomeOf(agent.run({ messages: question, mode }), first)
}

describe('history', () => {
  it('is equal from stream, from an iterated stream and from one body, for any conversation', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(anyConversation, async (conversation) => {
        script = conversation
        for (const kind of kindsOf(conversation)) seen.add(kind)
        const streamed = await runIn('stream', clientOf(claude))
        const iterated = await runIn('stream', withoutBytes(clientOf(claude)))
        const buffered = await runIn('buffered', clientOf(claude))
        expect(streamed).toEqual(buffered)
        expect(iterated).toEqual(buffered)
        expect(buffered.result.turns).toBe(script.length)
        expect(buffered.result.error).toBeUndefined()
      }),
      { numRuns: 80 },
    )
    // The property is about all kinds of blocks, and a few that nobody knows.
    expect([...seen].sort()).toEqual([...contentBlockTypes, 'hologram'].sort())
  })

  it('holds the blocks of the answer verbatim, but for what the API refuses to be sent back', async () => {
    await fc.assert(
      fc.asyncProperty(anyConversation, async (conversation) => {
        script = conversation
        const { result } = await runIn('stream', clientOf(claude))
        const refused = conversation.at(-1)?.stopReason === 'refusal'
        const expected = conversation
          .slice(0, refused ? -1 : undefined)
          .map(({ content }) => content.filter((block) => block.type !== 'text' || String(block['text']).trim() !== ''))
          .map((content) => content.slice(0, content.findLastIndex(({ type }) => !type.endsWith('thinking')) + 1))
          .filter((content) => content.length > 0)
        const held = result.newMessages.filter(({ role }) => role === 'assistant').map(({ content }) => content)
        expect(held).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })
})

describe('usage', () => {
  it('is overwritten within a turn and added up over turns, nested counts too', async () => {
    const usageOf = (factor: number): Record<string, unknown> => ({
      input_tokens: 100 * factor,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 10 * factor,
      cache_creation: { ephemeral_5m_input_tokens: factor, ephemeral_1h_input_tokens: 0 },
      output_tokens: 7 * factor,
      output_tokens_details: { thinking_tokens: 2 * factor },
      server_tool_use: { web_search_requests: factor },
      service_tier: 'standard',
    })
    const call = { type: 'tool_use', name: 'look_up', input: {} }
    script = [
      { content: [{ ...call, id: 'toolu_1' }], usage: usageOf(1) },
      { content: [{ ...call, id: 'toolu_2' }], usage: usageOf(2) },
      { content: [{ type: 'text', text: 'Done.' }], usage: usageOf(4) },
    ]
    for (const mode of ['stream', 'buffered'] as const) {
      const { result, turns } = await runIn(mode, clientOf(claude))
      expect(turns).toMatchObject([{ usage: usageOf(1) }, { usage: usageOf(2) }, { usage: usageOf(4) }])
      expect(result.usage).toMatchObject(usageOf(7))
    }
  })
})
