import type Anthropic from '@anthropic-ai/sdk'
import { definitions, type ShopTools, textOf } from './shop.ts'

/** A legacy loop with positional arguments that streams; its calls run at once, and it moves a cache breakpoint. */
export function createPositionalLoop(client: Anthropic, tools: ShopTools) {
  return async (customer: string, thread: readonly Anthropic.MessageParam[], maxTokens = 1_000): Promise<string> => {
    const ask = (messages: Anthropic.MessageParam[]): Promise<Anthropic.Message> =>
      client.messages
        .stream({
          model: 'claude-opus-5-5',
          max_tokens: maxTokens,
          system: `You serve ${customer}.`,
          messages: withBreakpoint(messages),
          tools: definitions,
        })
        .finalMessage()
    const messages = [...thread]
    let message = await ask(messages)
    while (message.stop_reason === 'tool_use') {
      const calls = message.content.filter((block) => block.type === 'tool_use')
      const results = await Promise.all(
        calls.map(async ({ id, name, input }): Promise<Anthropic.ToolResultBlockParam> => {
          const run = tools[name]
          return { type: 'tool_result', tool_use_id: id, content: (await run?.({ ...Object(input) })) ?? '' }
        }),
      )
      messages.push({ role: 'assistant', content: message.content }, { role: 'user', content: results })
      message = await ask(messages)
    }
    return textOf(message.content)
  }
}

/** The last block of the last message ends the part that is cached. */
function withBreakpoint(messages: readonly Anthropic.MessageParam[]): Anthropic.MessageParam[] {
  return messages.map((message, index) => {
    const { content } = message
    if (index < messages.length - 1 || message.role !== 'user' || typeof content === 'string') return message
    return {
      ...message,
      content: content.map((block, at) =>
        at === content.length - 1 && block.type === 'tool_result'
          ? { ...block, cache_control: { type: 'ephemeral' as const } }
          : block,
      ),
    }
  })
}
