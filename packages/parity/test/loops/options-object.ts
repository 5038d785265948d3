import type Anthropic from '@anthropic-ai/sdk'
import { definitions, type ShopTools, textOf } from './shop.ts'

interface LoopOptions {
  readonly userInput: string
  readonly conversationHistory: readonly Anthropic.MessageParam[]
}

/** A legacy loop of the common kind: everything in one options object; its calls run one after the other. */
export function createOptionsLoop(client: Anthropic, tools: ShopTools) {
  return async function executeAgentLoop({ userInput, conversationHistory }: LoopOptions): Promise<string> {
    const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
    for (;;) {
      const request = { model: 'claude-opus-5-5', max_tokens: 1_000, messages, tools: definitions }
      const { content, stop_reason } = await client.messages.create(request)
      messages.push({ role: 'assistant', content })
      if (stop_reason !== 'tool_use') return textOf(content)
      const results: Anthropic.ToolResultBlockParam[] = []
      for (const block of content) {
        if (block.type !== 'tool_use') continue
        const run = tools[block.name] ?? (() => Promise.resolve('no such tool'))
        const result = await run({ ...Object(block.input) }).then(
          (text) => ({ content: text }),
          (error: Error) => ({ content: error.message, is_error: true }),
        )
        results.push({ type: 'tool_result', tool_use_id: block.id, ...result })
      }
      messages.push({ role: 'user', content: results })
    }
  }
}
