import Anthropic from '@anthropic-ai/sdk'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerEvents, completeTurn, messageJson } from '../src/script/answer.ts'
import { type ScriptedClaude, startClaude, type Turn } from '../src/index.ts'
import { anyTurn } from './arbitrary-turns.ts'
import { accumulate, parseFrames } from './reference-accumulator.ts'

describe('an answer is the same as a stream and as a body', () => {
  test('the events of any turn accumulate to the message of the non-streaming body', () => {
    fc.assert(
      fc.property(anyTurn, (turn) => {
        const answer = completeTurn(turn, { model: 'm', inputTokens: 7, nonce: 'n', chunking: 'words' })
        const events = [...answerEvents(answer)].map((event) => JSON.parse(JSON.stringify(event)))
        expect(accumulate(events)).toEqual(JSON.parse([...messageJson(answer)].join('')))
      }),
      { numRuns: 500 },
    )
  })
})

describe('over HTTP', () => {
  let turn: Turn = { content: [] }
  let claude: ScriptedClaude
  let client: Anthropic
  beforeAll(async () => {
    claude = await startClaude({ script: () => turn })
    client = new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0 })
  })
  afterAll(async () => await claude.close())

  /** Ids are fresh in each request: their order of appearance is what two answers have in common. */
  const comparable = (message: unknown): unknown => {
    const seen = new Map<string, string>()
    const text = JSON.stringify(message).replace(/(?:msg|toolu|srvtoolu|mcptoolu)_01[\w-]+/g, (id) => {
      if (!seen.has(id)) seen.set(id, `id-${seen.size}`)
      return seen.get(id) ?? ''
    })
    // Redacted data is fresh as well.
    return JSON.parse(text.replace(/millrace-redacted\.[^"]+/g, 'redacted'))
  }

  const ask = { model: 'claude-opus-5-5', max_tokens: 1000, messages: [{ role: 'user' as const, content: 'go' }] }

  test('raw body, SDK stream and SDK message agree on any turn', async () => {
    await fc.assert(
      fc.asyncProperty(anyTurn, async (anyOne) => {
        turn = anyOne
        const whole = await client.messages.create(ask)
        const raw = await fetch(`${claude.url}/v1/messages?beta=true`, {
          method: 'POST',
          headers: { 'x-api-key': 'k' },
          body: JSON.stringify({ ...ask, stream: true }),
        })
        const events = parseFrames(await raw.text())
        expect(events[0]?.type).toBe('message_start')
        expect(events[1]?.type).toBe('ping')
        expect(events.at(-1)?.type).toBe('message_stop')
        const usage = { ...whole.usage, input_tokens: 0 }
        const streamed = accumulate(events)
        // The stream's request is longer by `"stream":true`, and the estimate of its input with it.
        Object.assign(streamed.usage ?? {}, { input_tokens: 0 })
        expect(comparable(streamed)).toEqual(comparable({ ...whole, usage }))
        // `parsed_output` is the SDK's own addition.
        const { parsed_output: _parsed, ...final } = await client.beta.messages.stream(ask).finalMessage()
        final.usage.input_tokens = 0
        expect(comparable(final)).toEqual(comparable({ ...whole, usage }))
      }),
      { numRuns: 60 },
    )
  })
})
