import type Anthropic from '@anthropic-ai/sdk'
import { trackOrder, trackOrderDefinition } from './orders.ts'

export interface LoopArgs {
  readonly userInput: string
  readonly conversationHistory: readonly Anthropic.MessageParam[]
}

export interface LoopResult {
  readonly reply: string
  /** The whole conversation. */
  readonly messages: readonly Anthropic.MessageParam[]
}

/** The loop that runs in production: it asks, runs the tools, and asks again. It knows nothing of streaming. */
export function createAgentLoop(client: Anthropic, model: string): (args: LoopArgs) => Promise<LoopResult> {
  return async function executeAgentLoop({ userInput, conversationHistory }) {
    const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
    for (;;) {
      const response = await client.messages.create({
        model,
        max_tokens: 4096,
        messages,
        tools: [trackOrderDefinition],
      })
      messages.push({ role: 'assistant', content: response.content })
      const calls = response.content.filter((block) => block.type === 'tool_use')
      if (calls.length === 0) {
        return { reply: response.content.map((block) => (block.type === 'text' ? block.text : '')).join(''), messages }
      }
      const results = calls.map(async ({ id, input }): Promise<Anthropic.ToolResultBlockParam> => {
        return { type: 'tool_result', tool_use_id: id, content: await trackOrder(input) }
      })
      messages.push({ role: 'user', content: await Promise.all(results) })
    }
  }
}
