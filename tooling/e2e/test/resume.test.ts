import { createClient, emptyView, reduceEvents, type RunView, viewText } from '@millrace/client'
import type { AgentEvent } from '@millrace/core'
import { text, toolUse } from '@millrace/testing'
import { sseDecoder } from '@millrace/wire'
import { describe, expect, test } from 'vitest'
import { adapters, type Mounted } from './support/adapters.ts'
import { question, serveAgent, type ServeOptions } from './support/agents.ts'

/** A run whose first turn is salvaged, and whose second is retracted and said again. */
const stormy: ServeOptions = {
  script: ({ turn, attempt }) =>
    turn === 1
      ? {
          content: [
            text('I look. '),
            toolUse('look_up', { id: 7 }, { id: 'toolu_1' }),
            text('Then I say what I found'),
          ],
        }
      : { content: [text(attempt === 1 ? 'It may be anywhere, who can say?' : 'It is on its way.')] },
  claude: {
    faults: [
      { kind: 'destroy', at: { event: 14 }, turn: 1, attempt: 1 },
      { kind: 'destroy', at: { event: 6 }, turn: 2, attempt: 1 },
    ],
  },
}

function seen(view: RunView): object {
  const { turns, tools, outcome, damage } = view
  return { text: viewText(view), turns, tools, outcome, damage }
}

/** Reads `count` events of a response, and leaves. */
async function readSome(response: Response, count: number): Promise<AgentEvent[]> {
  const decoder = sseDecoder()
  const events: AgentEvent[] = []
  const reader = response.body?.getReader()
  while (events.length < count) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) break
    for (const event of decoder.push(chunk.value)) if (event.type !== 'unknown') events.push(event)
  }
  await reader?.cancel()
  return events.slice(0, count)
}

describe.each(adapters)('$name', (adapter) => {
  async function start(options: ServeOptions): Promise<Mounted & { post: () => Promise<Response> }> {
    const { handler } = await serveAgent(options)
    const mounted = await adapter.mount(handler)
    const post = (): Promise<Response> =>
      mounted.fetch(`${mounted.url}/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [question] }),
      })
    return { ...mounted, post }
  }

  test('leaving at every event and coming back gives the same view, also during a fallback', async () => {
    const whole = await start(stormy)
    const first = await whole.post()
    const runId = first.headers.get('millrace-run-id') ?? ''
    const events = await readSome(first, Number.POSITIVE_INFINITY)
    const expected = reduceEvents(emptyView, events)
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['fallback', 'turn.retracted']))
    expect(viewText(expected)).toBe('It is on its way.')
    expect(expected.damage).toBeUndefined()

    for (let index = 0; index <= events.length; index++) {
      const before = await readSome(await whole.fetch(`${whole.url}/runs/${runId}/events`), index)
      const after = await readSome(
        await whole.fetch(`${whole.url}/runs/${runId}/events`, { headers: { 'last-event-id': String(index) } }),
        Number.POSITIVE_INFINITY,
      )
      expect(after.map(({ seq }) => seq)).toEqual(events.slice(index).map(({ seq }) => seq))
      expect(seen(reduceEvents(reduceEvents(emptyView, before), after))).toEqual(seen(expected))
    }
  })

  test('our client, cut off at every event of a live run, ends with the same view', async () => {
    const reference = await start(stormy)
    const events = await readSome(await reference.post(), Number.POSITIVE_INFINITY)
    const expected = viewText(reduceEvents(emptyView, events))
    for (let index = 1; index < events.length; index++) {
      const app = await start(stormy)
      const client = createClient({
        url: app.url,
        fetch: cutAfter(app.fetch, index),
        reconnect: { minDelayMs: 1, maxDelayMs: 1 },
      })
      const run = client.start({ messages: [question] })
      const seqs: number[] = []
      for await (const event of run) if ('seq' in event) seqs.push(event.seq)
      expect(seqs).toEqual(seqs.map((_, position) => position + 1))
      expect(viewText(run.view)).toBe(expected)
      expect(run.view).toMatchObject({ outcome: 'completed' })
      expect(run.view.damage).toBeUndefined()
    }
  })
})

/** A fetch whose first event stream breaks after so many events. */
function cutAfter(inner: typeof fetch, count: number): typeof fetch {
  let isFirst = true
  return async (input, init) => {
    const response = await inner(input, init)
    if (!isFirst || !response.headers.get('content-type')?.includes('event-stream')) return response
    isFirst = false
    let left = count
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const frames = new TextDecoder().decode(chunk).split(/(?<=\n\n)/)
        for (const frame of frames) {
          if (frame.startsWith('id:') && left-- === 0) return controller.error(new TypeError('terminated'))
          controller.enqueue(new TextEncoder().encode(frame))
        }
      },
    })
    return new Response(response.body?.pipeThrough(cut), response)
  }
}
