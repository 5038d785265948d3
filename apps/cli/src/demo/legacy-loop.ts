import type Anthropic from '@anthropic-ai/sdk'
import type { AgentCallbacks } from '@millrace/core'

export interface LoopArgs {
  readonly userInput: string
  readonly conversationHistory: readonly Anthropic.MessageParam[]
  readonly callbacks?: AgentCallbacks
  readonly useStreaming?: boolean
  readonly signal?: AbortSignal
}

export interface LoopResult {
  readonly text: string
  /** The whole conversation. */
  readonly messages: readonly Anthropic.MessageParam[]
}

/** A tool of the legacy loop. */
export interface LoopTool {
  readonly definition: Anthropic.Tool
  call(input: unknown, signal: AbortSignal | undefined): Promise<string>
}

export interface LoopOptions {
  readonly client: Anthropic
  readonly model: string
  readonly tools: readonly LoopTool[]
}

/** Creates the kind of loop that many teams run in production. It asks, runs the tools, and asks again, without streaming. */
export function createLegacyLoop({ client, model, tools }: LoopOptions): (args: LoopArgs) => Promise<LoopResult> {
  return async function executeAgentLoop({ userInput, conversationHistory, callbacks, signal }) {
    const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
    while (true) {
      const response = await client.messages.create(
        { model, max_tokens: 4096, messages, tools: tools.map(({ definition }) => definition) },
        signal === undefined ? {} : { signal },
      )
      messages.push({ role: 'assistant', content: response.content })
      const calls = response.content.filter((block) => block.type === 'tool_use')
      if (calls.length === 0) {
        const text = response.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
        callbacks?.onText?.(text, { runId: '', turn: messages.length })
        return { text, messages }
      }
      messages.push({ role: 'user', content: await Promise.all(calls.map((call) => answer(call, signal))) })
    }
  }

  async function answer(
    { id, name, input }: Anthropic.ToolUseBlock,
    signal: AbortSignal | undefined,
  ): Promise<Anthropic.ToolResultBlockParam> {
    try {
      const tool = tools.find(({ definition }) => definition.name === name)
      if (tool === undefined) throw new Error(`unknown tool "${name}"`)
      return { type: 'tool_result', tool_use_id: id, content: await tool.call(input, signal) }
    } catch (error) {
      return { type: 'tool_result', tool_use_id: id, is_error: true, content: String(error) }
    }
  }
}
