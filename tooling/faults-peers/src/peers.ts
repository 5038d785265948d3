import { createAnthropic } from '@ai-sdk/anthropic'
import Anthropic from '@anthropic-ai/sdk'
import { ChatAnthropic } from '@langchain/anthropic'
import { tool as langchainTool } from '@langchain/core/tools'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import { sdkLoop } from '@millrace/faults/sdk-loop'
import { createFetch } from '@millrace/fetch'
import type { Job, LoopReport, LoopUnderTest } from '@millrace/testing'
import { jsonSchema, stepCountIs, streamText, tool } from 'ai'
import { watchWire, type Wire } from './wire.ts'

/** Runs a job with a client that sends through `wire`, and tells `show` of each piece of text that a user would see. */
type Peer = (
  job: Job,
  wire: Wire,
  show: (text: string) => void,
  recovered: boolean,
) => Promise<string | null | undefined>

/** The clients, each as its documentation says to stream, with its own settings. */
export const peers: Readonly<Record<string, Peer>> = {
  'tool runner': async (job, { send }, show) => {
    const client = new Anthropic({ baseURL: job.baseURL, apiKey: job.apiKey, fetch: send })
    const runner = client.beta.messages.toolRunner(
      {
        model: job.model,
        max_tokens: 1024,
        messages: structuredClone([...job.messages]),
        tools: job.tools.map(({ name, description, inputSchema, ...own }) => ({
          type: 'custom' as const,
          name,
          description,
          input_schema: { ...inputSchema, type: 'object' as const },
          parse: (input: unknown) => input,
          run: (input: unknown) => own.run(input, { signal: job.signal, toolUseId: '' }),
        })),
        stream: true,
        thread: false,
      },
      { signal: job.signal },
    )
    let stopReason: string | null | undefined
    for await (const stream of runner) {
      stream.on('text', show)
      stopReason = (await stream.finalMessage()).stop_reason
    }
    return stopReason
  },
  'ai streamText': async (job, { send }, show) => {
    const anthropic = createAnthropic({ baseURL: `${job.baseURL}/v1`, apiKey: job.apiKey, fetch: send })
    const result = streamText({
      model: anthropic(job.model),
      maxOutputTokens: 1024,
      prompt: promptOf(job),
      tools: Object.fromEntries(
        job.tools.map(({ name, description, inputSchema, ...own }) => [
          name,
          tool({
            description,
            inputSchema: jsonSchema({ ...inputSchema, type: 'object' }),
            execute: (input, { toolCallId }) => own.run(input, { signal: job.signal, toolUseId: toolCallId }),
          }),
        ]),
      ),
      stopWhen: stepCountIs(50),
      abortSignal: job.signal,
      onError: () => {},
    })
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta') show(part.text)
      if (part.type === 'error') throw part.error
    }
    const reason = await result.finishReason
    return reason === 'content-filter' ? 'refusal' : reason === 'length' ? 'max_tokens' : reason
  },
  'LangGraph agent': async (job, { send }, show, recovered) => {
    const llm = new ChatAnthropic({
      model: job.model,
      maxTokens: 1024,
      streaming: true,
      apiKey: job.apiKey,
      anthropicApiUrl: job.baseURL,
      clientOptions: { fetch: send },
      // What createFetch has given up on is not worth the six retries of LangChain.
      ...(recovered && { maxRetries: 0 }),
    })
    const tools = job.tools.map(({ name, description, inputSchema, ...own }) =>
      langchainTool(async (input: unknown) => own.run(input, { signal: job.signal, toolUseId: '' }), {
        name,
        description,
        schema: { ...inputSchema, type: 'object' },
      }),
    )
    const agent = createReactAgent({ llm, tools })
    const stream = await agent.stream(
      { messages: [{ role: 'user', content: promptOf(job) }] },
      { streamMode: 'messages', signal: job.signal, recursionLimit: 50 },
    )
    let stopReason: string | undefined
    for await (const [chunk] of stream) {
      if (chunk.getType() !== 'ai') continue
      show(chunk.text)
      const reason: unknown = chunk.response_metadata['stop_reason'] ?? chunk.additional_kwargs['stop_reason']
      if (typeof reason === 'string') stopReason = reason
    }
    return stopReason
  },
}

function promptOf({ messages }: Job): string {
  const content: unknown = messages[0]?.content
  return typeof content === 'string' ? content : JSON.stringify(content)
}

/** Returns a peer as the grader runs it, with or without `createFetch` under it. */
export function loopOf(name: string, recovered: boolean): LoopUnderTest {
  const peer = peers[name]
  return async (job) => {
    const wire = watchWire(recovered ? (fetch) => createFetch({ fetch, ...settingsOf(job) }) : undefined)
    let shown = ''
    const sentUp = async (): Promise<readonly unknown[]> => (recovered ? repaired(wire.messages()) : wire.messages())
    const report = async (): Promise<LoopReport> => ({
      outcome: 'completed',
      shown,
      text: shown,
      messages: await sentUp(),
      clientFacing: [shown],
    })
    try {
      if (peer === undefined) return await sdkLoop({ fetch: () => wire.send, sentUp })(job)
      const reason = await peer(job, wire, (text) => (shown += text), recovered)
      if (reason === 'refusal') return { ...(await report()), outcome: 'refused' }
      return reason === 'max_tokens' || reason === 'model_context_window_exceeded'
        ? { ...(await report()), outcome: 'limit' }
        : await report()
    } catch (error) {
      const message = error instanceof Error ? error.name : 'failed'
      return { ...(await report()), outcome: 'failed', error: { code: 'failed', message, retryable: false } }
    }
  }
}

function settingsOf({ clock }: Job): object {
  // Each ping would be a step of a clock that stands still.
  return { runtime: { clock }, limits: { pingInterval: 3_600_000 } }
}

/** Returns the messages as the next request would bring them to the API. */
async function repaired(messages: readonly unknown[]): Promise<readonly unknown[]> {
  let sent: unknown
  const fetch = createFetch({
    async fetch(_, init) {
      if (typeof init?.body === 'string') sent = JSON.parse(init.body)
      return new Response(null, { status: 400 })
    },
  })
  const asked = [...messages, { role: 'user', content: 'And now?' }]
  const body = JSON.stringify({ model: 'any', max_tokens: 1, stream: true, messages: asked })
  await fetch('http://localhost/v1/messages', { method: 'POST', body })
  const given: unknown = typeof sent === 'object' && sent !== null ? Reflect.get(sent, 'messages') : messages
  return Array.isArray(given) ? given.slice(0, -1) : messages
}
