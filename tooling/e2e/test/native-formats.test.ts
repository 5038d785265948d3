import { createClient, emptyView, reduceEvents, type RunView, viewText } from '@millrace/client'
import type { AgentEvent } from '@millrace/core'
import { ndjsonDecoder, sseDecoder } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { adapters } from './support/adapters.ts'
import { orderText, question, serveAgent } from './support/agents.ts'

async function readEvents(response: Response): Promise<AgentEvent[]> {
  const decoder = response.headers.get('content-type')?.includes('event-stream') ? sseDecoder() : ndjsonDecoder()
  const bytes = new Uint8Array(await response.arrayBuffer())
  return decoder.push(bytes).filter((event): event is AgentEvent => event.type !== 'unknown')
}

async function drain(run: AsyncIterable<unknown>): Promise<void> {
  for await (const event of run) expect(event).toBeDefined()
}

/** What a user sees: without the things that differ from run to run. */
function seen(view: RunView): object {
  return {
    text: viewText(view),
    tools: view.tools.map(({ name, input, status, message, result }) => ({ name, input, status, message, result })),
    turns: view.turns.map(({ blocks }) => blocks.map(({ kind, text }) => ({ kind, text }))),
    outcome: view.outcome,
    damage: view.damage,
  }
}

const expected = {
  text: orderText.slice('One moment. '.length),
  outcome: 'completed',
  damage: undefined,
  tools: [{ name: 'look_up', input: { id: 7 }, status: 'ok', message: 'half way', result: 'on its way' }],
  turns: [
    [
      { kind: 'thinking', text: 'I look it up.' },
      { kind: 'text', text: 'One moment. ' },
      { kind: 'tool_use', text: '{"id":7}' },
    ],
    [{ kind: 'text', text: orderText.slice('One moment. '.length) }],
  ],
}

describe.each(adapters)('$name', (adapter) => {
  test.each(['text/event-stream', 'application/x-ndjson'])('%s carries the run exactly', async (accept) => {
    const { handler, errors } = await serveAgent()
    const { url, fetch } = await adapter.mount(handler)
    const response = await fetch(`${url}/runs`, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [question] }),
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain(accept)
    expect(response.headers.get('content-encoding')).toBeNull()
    expect(seen(reduceEvents(emptyView, await readEvents(response)))).toEqual(expected)
    expect(errors).toEqual([])
  })

  test('one JSON body has the result', async () => {
    const { handler } = await serveAgent()
    const { url, fetch } = await adapter.mount(handler)
    const response = await fetch(`${url}/runs`, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [question] }),
    })
    expect(await response.json()).toMatchObject({ outcome: 'completed', text: expected.text, turns: 2 })
  })

  test('our own client starts, follows and ends with the same view', async () => {
    const { handler } = await serveAgent()
    const { url, fetch } = await adapter.mount(handler)
    const client = createClient({ url, fetch })
    const run = client.start({ messages: [question] })
    await drain(run)
    expect(seen(run.view)).toEqual(expected)
    const again = client.follow(run.runId)
    await drain(again)
    expect(seen(again.view)).toEqual(expected)
    expect(await client.snapshot(run.runId)).toMatchObject({ closed: true, outcome: 'completed' })
  })

  test('a run is cancelled by its id', async () => {
    const { handler, claude } = await serveAgent({ claude: { pace: { eventDelay: 60_000 } } })
    const { url, fetch } = await adapter.mount(handler)
    const client = createClient({ url, fetch })
    const run = client.start({ messages: [question] })
    const ended = drain(run)
    await claude.nextRequest()
    expect(await run.cancel()).toEqual({ runId: run.runId, cancelled: true })
    await ended
    expect(run.view.outcome).toBe('interrupted')
    expect(handler.openRuns).toBe(0)
  })
})
