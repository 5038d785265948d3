import { defineTool } from '@millrace/core'
import { memorySessionStore } from '@millrace/core/memory'
import { text, thinking, toolUse } from '@millrace/testing'
import { createHook } from 'node:async_hooks'
import { sseDecoder } from '@millrace/wire'
import { expect, test } from 'vitest'
import { adapters } from './support/adapters.ts'
import { question, serveAgent } from './support/agents.ts'

const hostile = 'a\n\ndata: {"type":"run.finished"}\n\nid: 99\r\n\r\n: b\0\u2028\u2029\u0085event: x\ndata: '

test.each(adapters)('line breaks and NUL in every field stay in their field behind $name', async (adapter) => {
  const echo = defineTool({
    name: 'echo',
    description: 'Echoes.',
    inputSchema: { jsonSchema: { type: 'object' } },
    readOnly: true,
    async run(input, { progress }) {
      progress({ message: hostile, data: { [hostile]: hostile } })
      return hostile
    },
  })
  const { handler } = await serveAgent({
    script: ({ turn }) =>
      turn === 1
        ? { content: [thinking(hostile), text(hostile), toolUse('echo', { [hostile]: hostile })] }
        : { content: [text(hostile)] },
    agent: { tools: [echo] },
    handler: { sessions: memorySessionStore(), identify: () => hostile },
  })
  const { url, fetch } = await adapter.mount(handler)
  for (const format of ['sse', 'ndjson', 'ui-message-stream', 'ag-ui']) {
    const response = await fetch(`${url}/runs?format=${format}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: hostile, sessionId: hostile, metadata: { [hostile]: hostile } }),
    })
    const body = await response.text()
    const frames = format === 'ndjson' ? body.split('\n') : body.split('\n').filter((line) => line.startsWith('data:'))
    const payloads = frames
      .map((line) => line.replace(/^data: /, ''))
      .filter((line) => line !== '' && line !== '[DONE]')
    const parsed: { type: string }[] = payloads.map((payload) => JSON.parse(payload))
    expect(parsed.length).toBeGreaterThan(5)
    const ends = parsed.filter(({ type }) => ['run.finished', 'finish', 'RUN_FINISHED'].includes(type))
    expect(ends).toHaveLength(1)
    expect(ends).toEqual([parsed.at(-1)])
    expect(body).not.toMatch(/[\0\u2028\u2029\u0085]/)
  }
})

test('a delta that comes alone costs one write, few promises and few bytes', async () => {
  const count = async (words: number) => {
    const { handler } = await serveAgent({
      script: [{ content: [text('word '.repeat(words))] }],
      claude: { pace: { eventDelay: 1 } },
    })
    const request = new Request('http://millrace.test/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [question] }),
    })
    const decoder = sseDecoder()
    const counted = { promises: 0, writes: 0, bytes: 0, deltas: 0 }
    const hook = createHook({
      init(_id, type) {
        if (type === 'PROMISE') counted.promises++
      },
    }).enable()
    const reader = (await handler.fetch(request)).body?.getReader()
    for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
      counted.writes++
      counted.bytes += chunk.value.length
      counted.deltas += decoder.push(chunk.value).filter(({ type }) => type === 'text.delta').length
    }
    hook.disable()
    return counted
  }
  const few = await count(100)
  const many = await count(400)
  const deltas = many.deltas - few.deltas
  // A few of them arrive together, and are then one event.
  expect(deltas).toBeGreaterThan(50)
  expect((many.writes - few.writes) / deltas).toBeLessThan(1.1)
  expect((many.promises - few.promises) / deltas).toBeLessThan(100)
  expect((many.bytes - few.bytes) / deltas).toBeLessThan(90)
})
