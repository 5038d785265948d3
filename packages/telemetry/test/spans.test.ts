import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type ModelClient, type RunInput } from '@millrace/core'
import { type FaultPlan, type ScriptedClaude, startClaude, text, toolUse } from '@millrace/testing'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { describe, expect, test } from 'vitest'
import { telemetry, type TelemetryOptions } from '../src/index.ts'
import { startOtelSdk } from './otel.ts'

const model = 'claude-opus-5-5'
const question = [{ role: 'user' as const, content: 'Where is order A-17?' }]

/** A tool with a span of its own, as users' database calls have one. */
const lookUp = defineTool({
  name: 'look_up',
  description: 'Looks an order up.',
  inputSchema: { jsonSchema: { type: 'object' } },
  readOnly: true,
  async run() {
    trace.getTracer('app').startSpan('SELECT').end()
    return 'On its way'
  },
})

/** The three ways in which a request is made; the client's own tracing is on, as it is by default. */
const paths: Readonly<Record<string, (client: Anthropic) => { client: ModelClient; mode: RunInput['mode'] }>> = {
  'raw bytes': (client) => ({ client, mode: 'stream' }),
  'the client iterates': (client) => ({ client: withoutResponse(client), mode: 'stream' }),
  buffered: (client) => ({ client, mode: 'buffered' }),
}

function withoutResponse(client: Anthropic): ModelClient {
  return {
    messages: {
      create: (body: Anthropic.MessageCreateParams, options?: Anthropic.RequestOptions) =>
        client.messages.create(body, options).then((answer) => answer),
    },
  }
}

interface Traced {
  readonly spans: readonly ReadableSpan[]
  readonly claude: ScriptedClaude
}

interface Trial {
  readonly path: string
  readonly faults?: FaultPlan
  readonly interruptAt?: number
  readonly options?: TelemetryOptions
  readonly eagerTools?: boolean
  readonly clientTracing?: boolean
}

async function runTraced(trial: Trial): Promise<Traced> {
  const { path, faults = [], interruptAt, options = {}, eagerTools = false, clientTracing = true } = trial
  await using sdk = startOtelSdk()
  await using claude = await startClaude({
    script: [{ content: [text('I look it up.'), toolUse('look_up')] }, { content: [text('It is on its way.')] }],
    faults,
  })
  const own = new Anthropic({
    apiKey: 'any',
    baseURL: claude.url,
    ...(clientTracing ? {} : { openTelemetry: false }),
  })
  const { client, mode = 'auto' } = paths[path]?.(own) ?? { client: own }
  const agent = createAgent({
    client,
    request: { model, max_tokens: 1000, stop_sequences: ['END'] },
    tools: [lookUp],
    use: [telemetry({ agentName: 'orders', ...options })],
    eagerTools,
    recovery: { backoff: 1 },
  })
  const run = agent.run({
    messages: question,
    mode,
    sessionId: 'session-1',
    callbacks: { onText: (_text, { turn }) => turn === interruptAt && run.interrupt('user'), onRetract() {} },
  })
  if (interruptAt !== undefined && mode === 'buffered') {
    await claude.waitFor(({ turn }) => turn === interruptAt)
    run.interrupt('user')
  }
  await run.result
  return { spans: sdk.spans(), claude }
}

const named = (spans: readonly ReadableSpan[], start: string) => spans.filter(({ name }) => name.startsWith(start))
const isChat = ({ attributes }: ReadableSpan) => attributes['gen_ai.operation.name'] === 'chat'

function expectOneTree(spans: readonly ReadableSpan[]): void {
  const [run, ...others] = named(spans, 'invoke_agent')
  expect(others).toEqual([])
  expect(run?.name).toBe('invoke_agent orders')
  for (const span of [...spans.filter(isChat), ...named(spans, 'execute_tool')]) {
    expect(span.parentSpanContext?.spanId).toBe(run?.spanContext().spanId)
  }
}

describe.each(Object.keys(paths))('%s', (path) => {
  const streams = path !== 'buffered'

  test('gives a completed run one chat span per request, beside its tool, below the run', async () => {
    const { spans, claude } = await runTraced({ path })
    expectOneTree(spans)
    const chats = spans.filter(isChat)
    expect(chats).toHaveLength(claude.requests.length)
    expect(chats).toHaveLength(2)
    for (const { name, kind, attributes, status } of chats) {
      expect(name).toBe(`chat ${model}`)
      expect(kind).toBe(SpanKind.CLIENT)
      expect(status.code).toBe(SpanStatusCode.UNSET)
      expect(attributes).toMatchObject({
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.request.model': model,
        'gen_ai.request.max_tokens': 1000,
        'gen_ai.request.stop_sequences': ['END'],
        'gen_ai.response.model': model,
        'gen_ai.conversation.id': 'session-1',
      })
      expect(attributes['gen_ai.response.id']).toMatch(/^msg_/)
      expect(attributes['gen_ai.usage.input_tokens']).toBeGreaterThan(0)
      expect(attributes['gen_ai.usage.output_tokens']).toBeGreaterThan(0)
      expect(attributes['gen_ai.request.stream']).toBe(streams ? true : undefined)
      expect(typeof attributes['gen_ai.response.time_to_first_chunk']).toBe(streams ? 'number' : 'undefined')
    }
    expect(chats.map(({ attributes }) => attributes['gen_ai.response.finish_reasons'])).toEqual([
      ['tool_use'],
      ['end_turn'],
    ])
    const [tool] = named(spans, 'execute_tool look_up')
    expect(tool?.attributes).toMatchObject({ 'gen_ai.tool.name': 'look_up', 'millrace.tool.outcome': 'ok' })
    const [query] = named(spans, 'SELECT')
    expect(query?.parentSpanContext?.spanId).toBe(tool?.spanContext().spanId)
    const [run] = named(spans, 'invoke_agent')
    expect(run?.attributes['millrace.outcome']).toBe('completed')
    expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toMatch(/order A-17|on its way|look it up/i)
  })

  test('gives an interrupted run one as well, without an error', async () => {
    const { spans, claude } = await runTraced({
      path,
      faults: [{ kind: 'stall', at: { event: 4 }, turn: 2, times: 'forever' }],
      interruptAt: 2,
    })
    expectOneTree(spans)
    const chats = spans.filter(isChat)
    expect(chats).toHaveLength(claude.requests.length)
    expect(chats.map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET])
    expect(chats.map(({ attributes }) => attributes['error.type'])).toEqual([undefined, undefined])
    // Of a body that did not come, nothing is known.
    expect(typeof chats[1]?.attributes['gen_ai.usage.input_tokens']).toBe(streams ? 'number' : 'undefined')
    expect(typeof chats[1]?.attributes['gen_ai.response.id']).toBe(streams ? 'string' : 'undefined')
    expect(named(spans, 'invoke_agent')[0]?.attributes['millrace.outcome']).toBe('interrupted')
  })

  test('gives a failed run one for each of its requests, with the error', async () => {
    const { spans, claude } = await runTraced({ path, faults: [{ kind: 'status', status: 529, times: 'forever' }] })
    expectOneTree(spans)
    const chats = spans.filter(isChat)
    expect(claude.requests.length).toBeGreaterThan(1)
    expect(chats).toHaveLength(claude.requests.length)
    for (const { status, attributes } of chats) {
      expect(status.code).toBe(SpanStatusCode.ERROR)
      expect(attributes['error.type']).toBe('overloaded')
    }
    expect(named(spans, 'invoke_agent')[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'overloaded', 'millrace.outcome': 'failed' },
    })
  })
})

test('gives a broken stream a failed span with the tokens so far, and its retry another', async () => {
  const { spans, claude } = await runTraced({
    path: 'raw bytes',
    faults: [{ kind: 'destroy', at: { event: 4 }, turn: 2, times: 1 }],
  })
  expectOneTree(spans)
  const chats = spans.filter(isChat)
  expect(chats).toHaveLength(claude.requests.length)
  expect(chats).toHaveLength(3)
  expect(chats[1]?.attributes).toMatchObject({ 'error.type': 'connection_lost', 'millrace.attempt': 1 })
  expect(chats[1]?.attributes['gen_ai.usage.input_tokens']).toBeGreaterThan(0)
  expect(chats[2]?.attributes).toMatchObject({ 'millrace.attempt': 2 })
})

test('puts a tool that starts early below the run, not below the request', async () => {
  const { spans } = await runTraced({ path: 'raw bytes', eagerTools: true })
  expectOneTree(spans)
  expect(named(spans, 'execute_tool')).toHaveLength(1)
  expect(named(spans, 'SELECT')[0]?.parentSpanContext?.spanId).toBe(
    named(spans, 'execute_tool')[0]?.spanContext().spanId,
  )
})

test('keeps only the span of the client, below the run, with chatSpans "client"', async () => {
  const { spans } = await runTraced({ path: 'the client iterates', options: { chatSpans: 'client' } })
  expectOneTree(spans)
  const chats = spans.filter(isChat)
  expect(chats.map(({ name }) => name)).toEqual(['anthropic.messages.create', 'anthropic.messages.create'])
  expect(chats[0]?.attributes['gen_ai.usage.output_tokens']).toBeGreaterThan(0)
})

test('gives the same spans with the tracing of the client off', async () => {
  const { spans, claude } = await runTraced({ path: 'raw bytes', clientTracing: false })
  expectOneTree(spans)
  expect(spans.filter(isChat)).toHaveLength(claude.requests.length)
})

test('traces what an HTTP client starts later in the request, below it', async () => {
  const inner: ReadableSpan[] = []
  await using sdk = startOtelSdk()
  await using claude = await startClaude({ script: [{ content: [text('Hello')] }] })
  const client = new Anthropic({
    apiKey: 'any',
    baseURL: claude.url,
    async fetch(url, init) {
      const span = trace.getTracer('http').startSpan('POST')
      try {
        return await fetch(url, init)
      } finally {
        span.end()
      }
    },
  })
  const agent = createAgent({ client, request: { model, max_tokens: 100 }, use: [telemetry()] })
  const outer = trace.getTracer('app').startSpan('GET /chat')
  await context.with(trace.setSpan(context.active(), outer), async () => {
    const run = agent.run({
      messages: question,
      callbacks: { onText: () => trace.getTracer('app').startSpan('render').end() },
    })
    await run.result
  })
  inner.push(...sdk.spans())
  const [chat] = inner.filter(isChat)
  expect(named(inner, 'POST')[0]?.parentSpanContext?.spanId).toBe(chat?.spanContext().spanId)
  expect(named(inner, 'render').length).toBeGreaterThan(0)
  expect(named(inner, 'invoke_agent')[0]?.parentSpanContext?.spanId).toBe(outer.spanContext().spanId)
})
