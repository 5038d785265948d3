import type Anthropic from '@anthropic-ai/sdk'
import { trackOrder, trackOrderDefinition } from './orders.ts'

export interface LoopArgs {
  readonly userInput: string
  readonly conversationHistory: readonly Anthropic.MessageParam[]
  /** Who asks, by an id that says nothing about the person. */
  readonly visitor: string
}

export interface LoopResult {
  readonly reply: string
  /** The whole conversation. */
  readonly messages: readonly Anthropic.MessageParam[]
}

/** Creates the loop that runs in production. It asks, runs the tools, and asks again. It does not stream. */
export function createAgentLoop(client: Anthropic, model: string): (args: LoopArgs) => Promise<LoopResult> {
  return async function executeAgentLoop({ userInput, conversationHistory, visitor }) {
    const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
    for (;;) {
      const response = await client.messages.create({
        model,
        max_tokens: 4096,
        metadata: { user_id: visitor },
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
