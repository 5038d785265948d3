import type Anthropic from '@anthropic-ai/sdk'
import { validateMessages } from '@millrace/testing'
import { expect, it } from 'vitest'
import type { ShopTools } from './options-object.ts'
import { chargeDescription, finalText, lookUpDescription, questions, type Shop } from './shop.ts'

/** An existing loop with three positional arguments, the last one optional, that gives a tuple. */
export type PositionalLoop = (
  customer: string,
  thread: readonly Anthropic.MessageParam[],
  settings?: { readonly maxTokens?: number },
) => Promise<[answer: string, thread: Anthropic.MessageParam[]]>

/** It finds its tools by name in a table of its own, and runs the calls of a turn at once. */
export function createPositionalLoop(client: Anthropic, tools: ShopTools): PositionalLoop {
  return async (customer, thread, settings = {}) => {
    const ask = (messages: Anthropic.MessageParam[]): Promise<Anthropic.Message> =>
      client.messages.create({
        model: 'claude-opus-5-5',
        max_tokens: settings.maxTokens ?? 1_000,
        system: `You serve ${customer}.`,
        messages,
        tools: [lookUpDescription, chargeDescription].map((each) => ({ ...each, input_schema: { type: 'object' } })),
      })
    const messages = [...thread]
    let message = await ask(messages)
    while (message.stop_reason === 'tool_use') {
      const calls = message.content.filter((block) => block.type === 'tool_use')
      const results = await Promise.all(
        calls.map(async ({ id, name, input }): Promise<Anthropic.ToolResultBlockParam> => {
          const run = tools[name]
          const content = run === undefined ? 'no such tool' : await run({ ...Object(input) })
          return { type: 'tool_result', tool_use_id: id, content }
        }),
      )
      messages.push({ role: 'assistant', content: message.content }, { role: 'user', content: results })
      message = await ask(messages)
    }
    messages.push({ role: 'assistant', content: message.content })
    const answer = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    return [answer, messages]
  }
}

/** The tests that the loop came with. */
export function testPositionalLoop(make: () => Promise<{ loop: PositionalLoop; shop: Shop }>): void {
  const thread = (question: string): Anthropic.MessageParam[] => [{ role: 'user', content: question }]

  it.each([questions.hello, questions.lookUp, questions.charge, questions.chargeTwice])(
    'answers "%s"',
    async (question) => {
      const { loop } = await make()
      const [answer, messages] = await loop('Ada', thread(question))
      expect(answer).toBe(finalText(question))
      expect(validateMessages([...messages, ...thread('Next')])).toBeUndefined()
    },
  )

  it('charges once, and twice where it is asked to', async () => {
    const { loop, shop } = await make()
    await loop('Ada', thread(questions.charge), { maxTokens: 500 })
    expect(shop.charges).toEqual([{ order: '17', cents: 500 }])
    await loop('Ada', thread(questions.chargeTwice))
    expect(shop.charges).toHaveLength(3)
  })

  it('leaves the thread that it was given alone, and gives one that begins with it', async () => {
    const { loop } = await make()
    const given = thread(questions.lookUp)
    const [, messages] = await loop('Ada', given, {})
    expect(given).toEqual(thread(questions.lookUp))
    expect(messages.slice(0, 1)).toEqual(given)
    const [again] = await loop('Ada', [...messages, ...thread(questions.hello)])
    expect(again).toBe(finalText(questions.hello))
  })

  it('rejects with the error of the model API', async () => {
    const { loop } = await make()
    await expect(loop('Ada', thread(questions.unknown))).rejects.toMatchObject({ status: 400 })
  })
}
