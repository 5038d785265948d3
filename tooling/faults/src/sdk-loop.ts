import Anthropic, { APIError } from '@anthropic-ai/sdk'
import type { Job, LoopReport, LoopUnderTest } from '@millrace/testing'

export type Messages = Anthropic.MessageParam[]

type Send = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

export interface SdkLoopOptions {
  /** What the client sends with. Default: what the SDK does. */
  readonly fetch?: (job: Job) => Send
  /** Returns the history as the API would get it. Default: as the loop has it. */
  readonly sentUp?: (messages: Messages) => Promise<readonly unknown[]>
}

/** Returns the loop of the SDK's documentation: it streams, runs the calls, and asks again. It knows nothing of faults. */
export function sdkLoop({ fetch, sentUp = async (messages) => messages }: SdkLoopOptions = {}): LoopUnderTest {
  return (job) => run(job, fetch?.(job), sentUp)
}

async function run(
  job: Job,
  fetch: Send | undefined,
  sentUp: (messages: Messages) => Promise<readonly unknown[]>,
): Promise<LoopReport> {
  const messages: Messages = structuredClone([...job.messages])
  const client = new Anthropic({ baseURL: job.baseURL, apiKey: job.apiKey, ...(fetch && { fetch }) })
  let shown = ''
  let partial = ''
  const report = async (): Promise<LoopReport> => ({
    outcome: 'completed',
    shown,
    text: shown,
    messages: await sentUp(messages),
    clientFacing: [shown],
  })
  try {
    for (;;) {
      const stream = client.messages.stream(
        { model: job.model, max_tokens: 1024, messages, tools: job.tools.map(toTool) },
        { signal: job.signal },
      )
      stream.on('text', (text) => {
        shown += text
        partial += text
      })
      const answer = await stream.finalMessage()
      partial = ''
      if (answer.content.length > 0) messages.push({ role: 'assistant', content: answer.content })
      if (answer.stop_reason === 'refusal') {
        messages.push(...(await answered(job, answer, false)))
        return { ...(await report()), outcome: 'refused' }
      }
      if (answer.stop_reason === 'max_tokens' || answer.stop_reason === 'model_context_window_exceeded') {
        messages.push(...(await answered(job, answer, false)))
        return { ...(await report()), outcome: 'limit' }
      }
      const reason: string | null = answer.stop_reason
      const isPaused = reason === 'pause_turn' || reason === 'compaction'
      const results = await answered(job, answer, isPaused || answer.stop_reason === 'tool_use')
      if (results.length === 0 && !isPaused) return await report()
      messages.push(...results)
    }
  } catch (error) {
    // What was shown stays in the history.
    if (partial !== '') messages.push({ role: 'assistant', content: partial })
    return { ...(await report()), outcome: 'failed', error: errorOf(error) }
  }
}

function toTool({ name, description, inputSchema }: Job['tools'][number]): Anthropic.Tool {
  return { name, description, input_schema: { ...inputSchema, type: 'object' } }
}

async function answered(job: Job, { content }: Anthropic.Message, run: boolean): Promise<Messages> {
  const calls = content.filter((block) => block.type === 'tool_use')
  if (calls.length === 0) return []
  const results = calls.map(async ({ id, name, input }): Promise<Anthropic.ToolResultBlockParam> => {
    const tool = job.tools.find((each) => each.name === name)
    const given = run && tool !== undefined ? await tool.run(input, { signal: job.signal, toolUseId: id }) : 'not run'
    return { type: 'tool_result', tool_use_id: id, content: given }
  })
  return [{ role: 'user', content: await Promise.all(results) }]
}

function errorOf(error: unknown): { code: string; message: string; retryable: boolean } {
  const isTyped = error instanceof APIError && typeof error.type === 'string'
  return isTyped
    ? { code: error.type ?? '', message: 'the model API failed', retryable: false }
    : { code: error instanceof Error ? error.name : 'failed', message: 'the request failed', retryable: false }
}
