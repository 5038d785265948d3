import Anthropic from '@anthropic-ai/sdk'
import type { Job } from '@millrace/testing'
import type { Message } from '../../src/index.ts'

/** A loop as teams run it today: no streaming, the SDK's own retries, history in, history out. */
export async function legacyLoop(
  job: Job,
  history: readonly Message[],
): Promise<{ messages: readonly Message[]; text: string }> {
  const client = new Anthropic({ baseURL: job.baseURL, apiKey: job.apiKey, maxRetries: 0 })
  const messages: Message[] = [...history]
  const tools: Anthropic.Tool[] = job.tools.map(({ name, description, inputSchema }) => ({
    name,
    description,
    input_schema: { ...inputSchema, type: 'object' },
  }))
  for (;;) {
    const answer = await within(job, (signal) =>
      client.messages.create({ model: job.model, max_tokens: 1_024, tools, messages }, { signal }),
    )
    // Asked to go on with an answer that was whole, the model has nothing to add.
    if (answer.content.length > 0) messages.push({ role: 'assistant', content: answer.content })
    if (answer.stop_reason === 'pause_turn') continue
    const calls = answer.content.filter((block) => block.type === 'tool_use')
    if (calls.length === 0 && answer.stop_reason === 'tool_use') throw new Error('a tool_use without a tool')
    if (calls.length === 0) return { messages, text: messages.slice(history.length).map(textOf).join('') }
    const results = await Promise.all(
      calls.map(async (call): Promise<Anthropic.ToolResultBlockParam> => {
        const tool = job.tools.find(({ name }) => name === call.name)
        const content = (await tool?.run(call.input, { signal: job.signal, toolUseId: call.id })) ?? 'no such tool'
        return { type: 'tool_result', tool_use_id: call.id, content }
      }),
    )
    messages.push({ role: 'user', content: results })
  }
}

function textOf({ role, content }: Message): string {
  if (role !== 'assistant' || typeof content === 'string') return ''
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

/** The SDK's ten minutes, on the job's clock. */
async function within<T>(job: Job, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const abort = (): void => controller.abort(new Error('no answer in ten minutes'))
  const cancel = job.clock.setTimer(abort, 600_000)
  job.signal.addEventListener('abort', abort, { once: true })
  try {
    return await ask(controller.signal)
  } finally {
    cancel()
    job.signal.removeEventListener('abort', abort)
  }
}
