import type Anthropic from '@anthropic-ai/sdk'
import { validateMessages } from '@millrace/testing'
import { expect, it } from 'vitest'
import type { ShopTools } from './options-object.ts'
import { chargeDescription, finalText, lookUpDescription, questions, type Shop } from './shop.ts'

/** An existing loop that is a method and keeps its own history. */
export class Assistant {
  history: Anthropic.MessageParam[] = []
  readonly #client: Anthropic
  readonly #tools: ShopTools

  constructor(client: Anthropic, tools: ShopTools) {
    this.#client = client
    this.#tools = tools
  }

  async ask(this: Assistant, question: string): Promise<string> {
    const before = this.history
    this.history = [...this.history, { role: 'user', content: question }]
    try {
      for (;;) {
        const { content, stop_reason } = await this.#client.messages.create({
          model: 'claude-opus-5-5',
          max_tokens: 1_000,
          messages: this.history,
          tools: [lookUpDescription, chargeDescription].map((each) => ({ ...each, input_schema: { type: 'object' } })),
        })
        this.history = [...this.history, { role: 'assistant', content }]
        if (stop_reason !== 'tool_use') return content.map((each) => (each.type === 'text' ? each.text : '')).join('')
        this.history = [...this.history, { role: 'user', content: await this.#runAll(content) }]
      }
    } catch (error) {
      this.history = before
      throw error
    }
  }

  async #runAll(content: Anthropic.ContentBlock[]): Promise<Anthropic.ToolResultBlockParam[]> {
    const results: Anthropic.ToolResultBlockParam[] = []
    for (const block of content) {
      if (block.type !== 'tool_use') continue
      const result = (await this.#tools[block.name]?.({ ...Object(block.input) })) ?? 'no such tool'
      results.push({ type: 'tool_result', tool_use_id: block.id, content: result })
    }
    return results
  }
}

/** The tests that the class came with. */
export function testAssistant(make: () => Promise<{ assistant: Assistant; shop: Shop }>): void {
  it('answers, question after question, from the history that it keeps', async () => {
    const { assistant, shop } = await make()
    for (const question of [
      questions.hello,
      questions.charge,
      questions.lookUp,
      questions.chargeTwice,
      questions.hello,
    ]) {
      expect(await assistant.ask(question)).toBe(finalText(question))
      expect(validateMessages([...assistant.history, { role: 'user', content: 'Next' }])).toBeUndefined()
    }
    expect(shop.charges).toEqual([
      { order: '17', cents: 500 },
      { order: '17', cents: 1 },
      { order: '17', cents: 1 },
    ])
    const asked = assistant.history.filter(({ role, content }) => role === 'user' && typeof content === 'string')
    expect(asked.map(({ content }) => content)).toContain(questions.chargeTwice)
    expect(assistant.history[0]).toEqual({ role: 'user', content: questions.hello })
  })

  it('keeps the history of each assistant to itself', async () => {
    const first = await make()
    const second = await make()
    await first.assistant.ask(questions.hello)
    expect(first.assistant.history).toHaveLength(2)
    expect(second.assistant.history).toHaveLength(0)
  })

  it('rejects with the error of the model API, and its history is as before', async () => {
    const { assistant } = await make()
    await assistant.ask(questions.hello)
    const before = assistant.history
    await expect(assistant.ask(questions.unknown)).rejects.toMatchObject({ status: 400 })
    expect(assistant.history).toEqual(before)
  })
}
