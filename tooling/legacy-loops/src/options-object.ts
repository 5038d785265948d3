import type Anthropic from '@anthropic-ai/sdk'
import { validateMessages } from '@millrace/testing'
import { expect, it } from 'vitest'
import { chargeDescription, finalText, lookUpDescription, questions, type Shop, wholeText } from './shop.ts'

/** An existing loop of the common kind: everything in one options object, callbacks among it. */
export interface LoopOptions {
  readonly userInput: string
  readonly conversationHistory: readonly Anthropic.MessageParam[]
  readonly callbacks?: {
    readonly onText?: (text: string) => void
    readonly onToolUse?: (name: string, input: unknown) => void
    readonly onToolResult?: (name: string, input: unknown, result: unknown) => void
  }
  readonly useStreaming?: boolean
}

export interface LoopAnswer {
  readonly response: string
  readonly conversationHistory: Anthropic.MessageParam[]
}

export type OptionsLoop = (options: LoopOptions) => Promise<LoopAnswer>

export type ShopTools = Readonly<Record<string, (input: Record<string, unknown>) => Promise<string>>>

export function shopTools(shop: Shop): ShopTools {
  return {
    look_up: ({ order }) => shop.lookUp(String(order)),
    charge: ({ order, cents }) => shop.charge(String(order), Number(cents)),
  }
}

const definitions: Anthropic.Tool[] = [
  {
    ...lookUpDescription,
    input_schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
  },
  {
    ...chargeDescription,
    input_schema: { type: 'object', properties: { order: { type: 'string' }, cents: { type: 'number' } } },
  },
]

export function createOptionsLoop(client: Anthropic, tools: ShopTools): OptionsLoop {
  return async function executeAgentLoop({ userInput, conversationHistory, callbacks }) {
    const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
    for (;;) {
      const { content, stop_reason } = await client.messages.create({
        model: 'claude-opus-5-5',
        max_tokens: 1_000,
        messages,
        tools: definitions,
      })
      messages.push({ role: 'assistant', content })
      for (const block of content) if (block.type === 'text') callbacks?.onText?.(block.text)
      if (stop_reason !== 'tool_use') {
        const response = content.map((block) => (block.type === 'text' ? block.text : '')).join('')
        return { response, conversationHistory: messages }
      }
      const results: Anthropic.ToolResultBlockParam[] = []
      for (const block of content) {
        if (block.type !== 'tool_use') continue
        const input: Record<string, unknown> = { ...Object(block.input) }
        callbacks?.onToolUse?.(block.name, block.input)
        const result = (await tools[block.name]?.(input)) ?? 'no such tool'
        callbacks?.onToolResult?.(block.name, block.input, result)
        results.push({ type: 'tool_result', tool_use_id: block.id, content: result })
      }
      messages.push({ role: 'user', content: results })
    }
  }
}

/** The tests that the loop came with. */
export function testOptionsLoop(make: () => Promise<{ loop: OptionsLoop; shop: Shop }>): void {
  it('answers', async () => {
    const { loop } = await make()
    const { response, conversationHistory } = await loop({ userInput: questions.hello, conversationHistory: [] })
    expect(response).toBe(wholeText(questions.hello))
    expect(conversationHistory[0]).toEqual({ role: 'user', content: questions.hello })
    expect(conversationHistory.at(-1)).toMatchObject({ role: 'assistant' })
  })

  it('runs its tools and answers from their results', async () => {
    const { loop, shop } = await make()
    const { response } = await loop({ userInput: questions.lookUp, conversationHistory: [] })
    expect(response).toBe(finalText(questions.lookUp))
    expect(new Set(shop.lookUps)).toEqual(new Set(['17']))
  })

  it('charges once', async () => {
    const { loop, shop } = await make()
    const { response } = await loop({ userInput: questions.charge, conversationHistory: [] })
    expect(response).toBe(finalText(questions.charge))
    expect(shop.charges).toEqual([{ order: '17', cents: 500 }])
  })

  it('makes two equal calls where the model makes two', async () => {
    const { loop, shop } = await make()
    const { response } = await loop({ userInput: questions.chargeTwice, conversationHistory: [] })
    expect(response).toBe(finalText(questions.chargeTwice))
    expect(shop.charges).toEqual([
      { order: '17', cents: 1 },
      { order: '17', cents: 1 },
    ])
  })

  it('gives a history that the conversation goes on from', async () => {
    const { loop, shop } = await make()
    let conversationHistory: readonly Anthropic.MessageParam[] = []
    for (const userInput of [questions.hello, questions.charge, questions.lookUp, questions.hello]) {
      const answer = await loop({ userInput, conversationHistory })
      expect(answer.response).toBe(finalText(userInput))
      expect(answer.conversationHistory.slice(0, conversationHistory.length)).toEqual(conversationHistory)
      conversationHistory = answer.conversationHistory
      expect(validateMessages([...conversationHistory, { role: 'user', content: 'Next' }])).toBeUndefined()
    }
    expect(shop.charges).toHaveLength(1)
  })

  it('rejects with the error of the model API', async () => {
    const { loop } = await make()
    await expect(loop({ userInput: questions.unknown, conversationHistory: [] })).rejects.toMatchObject({ status: 400 })
  })

  it('keeps conversations apart that run at once', async () => {
    const { loop, shop } = await make()
    const asked = [questions.hello, questions.charge, questions.lookUp, questions.charge]
    const answered = await Promise.all(asked.map((userInput) => loop({ userInput, conversationHistory: [] })))
    expect(answered.map(({ response }) => response)).toEqual(asked.map(finalText))
    expect(shop.charges).toHaveLength(2)
  })
}

/** Its tests of what it calls back. */
export function testOptionsLoopCallbacks(make: () => Promise<{ loop: OptionsLoop; shop: Shop }>): void {
  it('calls back with each text, each call and its result', async () => {
    const { loop } = await make()
    const texts: string[] = []
    const calls: unknown[] = []
    await loop({
      userInput: questions.charge,
      conversationHistory: [],
      callbacks: {
        onText: (text) => texts.push(text),
        onToolUse: (name, input) => calls.push([name, input]),
        onToolResult: (name, input, result) => calls.push([name, input, result]),
      },
    })
    expect(texts.join('')).toBe(wholeText(questions.charge))
    expect(calls).toEqual([
      ['charge', { order: '17', cents: 500 }],
      ['charge', { order: '17', cents: 500 }, 'Charged 500 for 17'],
    ])
  })
}
