import type Anthropic from '@anthropic-ai/sdk'
import { definitions, type ShopTools, textOf } from './shop.ts'

/** A legacy loop that is a method and keeps its own history. */
export class Assistant {
  history: Anthropic.MessageParam[] = []
  readonly #client: Anthropic
  readonly #tools: ShopTools

  constructor(client: Anthropic, tools: ShopTools) {
    this.#client = client
    this.#tools = tools
  }

  async ask(question: string): Promise<string> {
    this.history = [...this.history, { role: 'user', content: question }]
    for (;;) {
      const { content, stop_reason } = await this.#client.messages.create({
        model: 'claude-opus-5-5',
        max_tokens: 1_000,
        messages: this.history,
        tools: definitions,
      })
      this.history = [...this.history, { role: 'assistant', content }]
      if (stop_reason !== 'tool_use') return textOf(content)
      const results: Anthropic.ToolResultBlockParam[] = []
      for (const block of content) {
        if (block.type !== 'tool_use') continue
        const result = (await this.#tools[block.name]?.({ ...Object(block.input) })) ?? 'no such tool'
        // The last call is answered first: the API does not mind.
        results.unshift({ type: 'tool_result', tool_use_id: block.id, content: result })
      }
      this.history = [...this.history, { role: 'user', content: results }]
    }
  }
}
