import Anthropic from '@anthropic-ai/sdk'
import type { FlagClient, FlagContext } from '@millrace/core'
import { memorySessionStore } from '@millrace/core/memory'
import { demoScript, type FaultPlan, type ScriptedClaude, startClaude } from '@millrace/testing'
import { collect } from '@millrace/testing/async'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createAgentLoop,
  createStreamingLoop,
  inConversation,
  type LoopArgs,
  type StreamingLoop,
} from '../src/index.ts'

const args: LoopArgs = { userInput: 'Please track order 7', conversationHistory: [], visitor: 'v1' }
const found = 'Order 7 is in the delivery van.'

interface Opened {
  readonly claude: ScriptedClaude
  readonly client: Anthropic
  readonly loop: StreamingLoop
  readonly contexts: FlagContext[]
}

async function open(faults: FaultPlan = []): Promise<Opened> {
  const claude = await startClaude({ script: demoScript, faults })
  onTestFinished(() => claude.close())
  const client = new Anthropic({ apiKey: 'none', baseURL: claude.url, maxRetries: 0 })
  const contexts: FlagContext[] = []
  const flags: FlagClient = {
    getBooleanDetails(key, fallback, context = {}) {
      contexts.push(context)
      return { value: key === 'use_streaming' ? true : fallback }
    },
  }
  return { claude, client, contexts, loop: createStreamingLoop({ client, model: 'claude-x', flags }) }
}

describe('the wrapped loop', () => {
  test('returns what the legacy loop returns', async () => {
    const { loop, client } = await open()
    const legacy = await createAgentLoop(client, 'claude-x')(args)
    const streamed = await loop(args)
    expect(streamed.reply).toBe(legacy.reply)
    expect(streamed.messages).toHaveLength(legacy.messages.length)
  })

  test('asks the flags for the visitor, and tells the API who asks', async () => {
    const { loop, contexts, claude } = await open()
    await loop(args)
    expect(contexts).toContainEqual(expect.objectContaining({ targetingKey: 'v1' }))
    expect(claude.requests.map(({ body }) => body?.['metadata'])).toEqual([{ user_id: 'v1' }, { user_id: 'v1' }])
  })

  test('hands a half-done run over to the legacy loop, and runs no tool twice', async () => {
    const { loop, claude } = await open([{ kind: 'status', status: 400, stream: true, turn: 2 }])
    const run = loop.run(args)
    const events = await collect(run)
    expect(events.filter(({ type }) => type === 'tool.finished')).toHaveLength(1)
    expect(await run.result).toMatchObject({ outcome: 'completed' })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true, true, false])
    expect(JSON.stringify(claude.requests.at(-1)?.body?.['messages'])).toContain(found)
  })
})

describe('a conversation', () => {
  const answer = { messages: [{ role: 'user', content: 'Hello' }] } as const

  test('grows with each answer', async () => {
    const sessions = memorySessionStore()
    await inConversation(sessions, 's', () => Promise.resolve(answer))
    await inConversation(sessions, 's', (history) => {
      expect(history).toEqual(answer.messages)
      return Promise.resolve({ messages: [...history, ...history] })
    })
    expect((await sessions.load('s')).messages).toHaveLength(2)
  })

  test('refuses a second answer at the same time, and takes the next one after a failure', async () => {
    const sessions = memorySessionStore()
    const first = inConversation(sessions, 's', async () => {
      expect(await inConversation(sessions, 's', () => Promise.resolve(answer))).toBeUndefined()
      throw new Error('no answer')
    })
    await expect(first).rejects.toThrow('no answer')
    expect(await inConversation(sessions, 's', () => Promise.resolve(answer))).toBe(answer)
  })
})
