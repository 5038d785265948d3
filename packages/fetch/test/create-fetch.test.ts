import { macrotask, manualClock } from '@millrace/testing/async'
import { formatEvent, messageEvents } from '@millrace/testing/stream'
import type { MillraceError } from '@millrace/core'
import { describe, expect, it } from 'vitest'
import { createFetch, type Fetch, type FetchEvent } from '../src/index.ts'
import { ask, bytesOf, streamOf } from './support/upstream.ts'

const usage = { input_tokens: 10, output_tokens: 5 }
const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-5-5' }
const text = (words: string): object => ({ type: 'text', text: words })
const call = { type: 'tool_use', id: 'toolu_1', name: 'charge', input: { cents: 500 } }

function answer(content: readonly object[], stopReason = 'end_turn', id = 'msg_1'): string[] {
  const message = {
    ...head,
    id,
    content: content.map((block) => ({ ...block })),
    stop_reason: stopReason,
    stop_sequence: null,
    usage,
  }
  return [...messageEvents(message, 'words')].map(formatEvent)
}

const hello = answer([text('It was sent on Monday.')])
const read = async (response: Response): Promise<string> => new TextDecoder().decode(await bytesOf(response))

/** Answers requests in turn and remembers them. */
function upstream(...answers: ((init: RequestInit | undefined) => Response | Promise<Response>)[]): {
  fetch: Fetch
  sent: RequestInit[]
  bodies: () => Record<string, unknown>[]
} {
  const sent: RequestInit[] = []
  return {
    sent,
    bodies: () => sent.map(({ body }) => JSON.parse(String(body))),
    fetch: async (_, init) => {
      sent.push(init ?? {})
      const next = answers[sent.length - 1] ?? answers.at(-1)
      if (next === undefined) throw new Error('no answer')
      return next(init)
    },
  }
}

const refusal = (status: number, headers: Record<string, string> = {}): Response =>
  Response.json({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, { status, headers })

const quick = { recovery: { backoff: 0 } } as const

describe('a request that is not recovered', () => {
  it.each([
    ['of another method', 'http://h/v1/messages', { method: 'GET' }],
    ['of another endpoint', 'http://h/v1/messages/count_tokens', { method: 'POST', body: '{"messages":[]}' }],
    ['that is not JSON', 'http://h/v1/messages', { method: 'POST', body: 'not json' }],
    ['without messages', 'http://h/v1/messages', { method: 'POST', body: '{"stream":true}' }],
  ])('passes as it is: one %s', async (_, url, init) => {
    const given: unknown[] = []
    const answered = new Response('as it is')
    const fetch = createFetch({
      fetch: async (...args) => {
        given.push(...args)
        return answered
      },
    })
    expect(await fetch(url, init)).toBe(answered)
    expect(given).toEqual([url, init])
    expect(given[1]).toBe(init)
  })

  it('passes a request without streaming, byte for byte', async () => {
    const init = { method: 'POST', body: '{ "model": "m", "messages": [ ] }' }
    const model = upstream(() => Response.json({ any: 'thing' }))
    expect(await (await createFetch({ fetch: model.fetch })('http://h/v1/messages', init)).json()).toEqual({
      any: 'thing',
    })
    expect(model.sent).toEqual([init])
  })

  it('passes a body over the limit, and says so', async () => {
    const warnings: MillraceError[] = []
    const model = upstream(() => streamOf(hello.slice(0, 4)))
    const fetch = createFetch({
      fetch: model.fetch,
      limits: { requestBytes: 10 },
      onWarning: (error) => warnings.push(error),
    })
    expect(await read(await ask(fetch))).toBe(hello.slice(0, 4).join(''))
    expect(warnings.map(({ message }) => message)).toEqual([
      'request passed without recovery: the body has more than limits.requestBytes (10)',
    ])
  })
})

describe('a stream that breaks', () => {
  it('is asked again where the client has nothing yet', async () => {
    const model = upstream(
      () => streamOf(hello.slice(0, 3), 'break'),
      () => streamOf(hello),
    )
    expect(await read(await ask(createFetch({ ...quick, fetch: model.fetch })))).toContain('Monday')
    expect(model.sent).toHaveLength(2)
    expect(model.sent[1]?.body).toBe(model.sent[0]?.body)
  })

  it('goes on in the same block, without what the model says again, and adds up usage', async () => {
    const model = upstream(
      () => streamOf(hello.slice(0, 6), 'break'),
      () => streamOf(answer([text('It was sent on Monday.')], 'end_turn', 'msg_2')),
    )
    const events = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }))))
    expect(events.map(({ type }) => type).filter((type) => type !== 'ping')).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(textOf(events)).toBe('It was sent on Monday.')
    expect(model.bodies()[1]?.['messages']).toMatchObject([
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: [{ type: 'text', text: 'It was sent' }] },
      { role: 'user' },
    ])
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'end_turn' }, usage: { input_tokens: 20 } })
  })

  it('ends with the call that had arrived whole', async () => {
    const events = answer([call, text('One moment, please.')], 'tool_use')
    const model = upstream(() => streamOf(events.slice(0, -4), 'break'))
    const given = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }))))
    expect(given.slice(-2)).toMatchObject([{ delta: { stop_reason: 'tool_use' } }, { type: 'message_stop' }])
    expect(model.sent).toHaveLength(1)
  })

  it('closes thinking that has no signature, and begins anew behind it', async () => {
    const events = answer([{ type: 'thinking', thinking: 'Let me see.', signature: 'sig' }, text('Done.')])
    const model = upstream(
      () => streamOf(events.slice(0, 7), 'break'),
      () => streamOf(events),
    )
    const given = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }))))
    const starts = given
      .filter(({ type }) => type === 'content_block_start')
      .map(({ index, content_block }) => [index, content_block.type])
    expect(starts).toEqual([
      [0, 'thinking'],
      [1, 'thinking'],
      [2, 'text'],
    ])
    const signatures = given.filter(({ delta }) => delta?.type === 'signature_delta')
    expect(signatures.map(({ index }) => index)).toEqual([1])
  })

  it('ends with an error event where nothing helps, in the words of upstream', async () => {
    const error = { type: 'error', error: { type: 'invalid_request_error', message: 'of upstream' } }
    const model = upstream(() => streamOf([...hello.slice(0, 5), formatEvent(error)]))
    const given = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }))))
    expect(given.at(-1)).toEqual(error)
  })

  it('sends a call as it arrives with toolInput "pass", and cannot recover inside it', async () => {
    const events = answer([{ ...call, input: { cents: 500, note: 'for the lamp' } }], 'tool_use')
    const model = upstream(() => streamOf(events.slice(0, 5), 'break'))
    const fetch = createFetch({ ...quick, fetch: model.fetch, toolInput: 'pass' })
    const given = parse(await read(await ask(fetch)))
    expect(given.some(({ delta }) => delta?.type === 'input_json_delta')).toBe(true)
    expect(given.at(-1)).toMatchObject({ type: 'error', error: { type: 'api_error' } })
    expect(model.sent).toHaveLength(1)
  })
})

describe('an error before the first byte', () => {
  it('keeps its status and body, and stops the retries of the client once we have retried', async () => {
    const model = upstream(() => refusal(529, { 'anthropic-ratelimit-requests-remaining': '0' }))
    const response = await ask(createFetch({ ...quick, fetch: model.fetch }))
    expect([response.status, await response.json()]).toEqual([529, await refusal(529).json()])
    expect(response.headers.get('x-should-retry')).toBe('false')
    expect(response.headers.get('anthropic-ratelimit-requests-remaining')).toBe('0')
    expect(model.sent).toHaveLength(5)
  })

  it.each([400, 401, 404])('is not retried where that is no use: %i', async (status) => {
    const model = upstream(() => refusal(status))
    const response = await ask(createFetch({ ...quick, fetch: model.fetch }))
    expect([response.status, response.headers.has('x-should-retry'), model.sent.length]).toEqual([status, false, 1])
  })

  it('is not retried where upstream says so', async () => {
    const model = upstream(() => refusal(529, { 'x-should-retry': 'false' }))
    expect((await ask(createFetch({ ...quick, fetch: model.fetch }))).status).toBe(529)
    expect(model.sent).toHaveLength(1)
  })

  it('becomes an answer of the API where upstream cannot be reached', async () => {
    const model = upstream(() => {
      throw new TypeError('fetch failed')
    })
    const response = await ask(createFetch({ ...quick, fetch: model.fetch }))
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([502, 'false'])
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } })
  })
})

describe('the client', () => {
  it('gets a text delta in the turn of the event loop in which it was read', async () => {
    let push: (text: string) => void = () => {}
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        push = (words) => controller.enqueue(new TextEncoder().encode(words))
      },
    })
    const response = await ask(
      createFetch({ fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }) }),
    )
    const reader = response.body?.getReader()
    push(hello.slice(0, 3).join(''))
    await reader?.read()
    await macrotask()
    let isNextTurn = false
    const next = reader?.read().then(() => isNextTurn)
    push(hello[3] ?? '')
    setImmediate(() => (isNextTurn = true))
    expect(await next).toBe(false)
    await reader?.cancel()
  })

  it('aborts upstream when it aborts, before and after the headers', async () => {
    const controller = new AbortController()
    let given: AbortSignal | null | undefined
    const hang = createFetch({
      fetch: async (_, init) => {
        given = init?.signal
        return new Promise(() => {})
      },
    })
    const waiting = ask(hang, {}, { signal: controller.signal })
    await macrotask()
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(given?.aborted).toBe(true)

    const later = new AbortController()
    const streaming = createFetch({
      fetch: async (_, init) => {
        given = init?.signal
        return streamOf(hello.slice(0, 5), 'hang')
      },
    })
    const { body } = await ask(streaming, {}, { signal: later.signal })
    const reader = body?.getReader()
    await reader?.read()
    later.abort(new Error('enough'))
    await expect(reader?.closed).rejects.toThrow('enough')
    expect(given?.aborted).toBe(true)
  })

  it('stops upstream when it lets go of the body', async () => {
    let given: AbortSignal | null | undefined
    const fetch = createFetch({
      fetch: async (_, init) => {
        given = init?.signal
        return streamOf(hello.slice(0, 5), 'hang')
      },
    })
    const reader = (await ask(fetch)).body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await macrotask()
    expect(given?.aborted).toBe(true)
  })

  it('makes upstream wait while it does not read', async () => {
    let pulled = 0
    function* endless(): Generator<string> {
      yield* hello.slice(0, 3)
      for (;;) {
        pulled += 1
        yield hello[3] ?? ''
      }
    }
    const reader = (await ask(createFetch({ fetch: async () => streamOf(endless()) }))).body?.getReader()
    for (let turn = 0; turn < 20; turn++) await macrotask()
    expect(pulled).toBeLessThan(3)
    for (let count = 0; count < 5; count++) await reader?.read()
    expect(pulled).toBeLessThan(9)
    await reader?.cancel()
  })

  it('gets pings while it waits', async () => {
    const clock = manualClock()
    const fetch = createFetch({ fetch: async () => streamOf(hello.slice(0, 5), 'hang'), runtime: { clock } })
    const reader = (await ask(fetch)).body?.getReader()
    for (let count = 0; count < 4; count++) await reader?.read()
    const next = reader?.read()
    await macrotask()
    clock.advance(15_000)
    await macrotask()
    clock.advance(15_000)
    expect(new TextDecoder().decode((await next)?.value)).toBe('event: ping\ndata: {"type":"ping"}\n\n')
    await reader?.cancel()
  })
})

describe('upgrade', () => {
  it('asks as a stream, recovers, and answers in one body', async () => {
    const model = upstream(
      () => streamOf(hello.slice(0, 6), 'break'),
      () => streamOf(hello),
    )
    const fetch = createFetch({ ...quick, fetch: model.fetch, upgrade: ({ model: name }) => name === 'slow' })
    const response = await ask(fetch, { stream: undefined, model: 'slow' })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('request-id')).toBe('req_1')
    expect(await response.json()).toMatchObject({ id: 'msg_1', content: [text('It was sent on Monday.')], usage })
    expect(model.bodies().map(({ stream }) => stream)).toEqual([true, true])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('passes the request and reports it if upgrade %s, though onWarning rejects too', async (_how, answer) => {
    const told: unknown[] = []
    const model = upstream(() => refusal(400))
    const options = { ...quick, fetch: model.fetch, upgrade: (): boolean => false }
    Reflect.set(options, 'upgrade', answer)
    Reflect.set(options, 'onWarning', (error: unknown) => Promise.reject(new Error(`heard ${told.push(error)}`)))
    await ask(createFetch(options), { stream: false })
    expect(model.bodies().map(({ stream }) => stream)).toEqual([false])
    expect(told).toMatchObject([{ code: 'callback_failed', path: 'upgrade' }])
  })

  it('answers with the error of the API where nothing helps', async () => {
    const model = upstream(() => refusal(529))
    const response = await ask(createFetch({ ...quick, fetch: model.fetch, upgrade: true }), { stream: false })
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([529, 'false'])
  })
})

describe('what a broken answer left in the history', () => {
  const broken = [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm', signature: '' }, text('Hi')] },
    { role: 'user', content: 'And now?' },
  ]

  it('is removed on the way up, and reported', async () => {
    const warnings: MillraceError[] = []
    const model = upstream(() => streamOf(hello))
    await read(
      await ask(createFetch({ fetch: model.fetch, onWarning: (error) => warnings.push(error) }), { messages: broken }),
    )
    expect(model.bodies()[0]?.['messages']).toMatchObject([{}, { content: [text('Hi')] }, {}])
    expect(warnings.map(({ code, path }) => [code, path])).toEqual([['invalid_messages', 'messages']])
  })

  it('stays with repair off', async () => {
    const model = upstream(() => streamOf(hello))
    await read(await ask(createFetch({ fetch: model.fetch, repair: false }), { messages: broken }))
    expect(model.bodies()[0]?.['messages']).toEqual(broken)
  })

  it('leaves the search of a paused turn, whose result is still to come', async () => {
    const search = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } }
    const messages = [broken[0], { role: 'assistant', content: [text('I search.'), search] }]
    const model = upstream(() => streamOf(hello))
    await read(await ask(createFetch({ fetch: model.fetch }), { messages }))
    expect(model.bodies()[0]?.['messages']).toEqual(messages)
  })
})

describe('a thread on the server', () => {
  const thread = { type: 'continue', previous_message_id: 'msg_0' }

  it('is asked again before content, and goes on from the answer that is whole', async () => {
    const model = upstream(
      () => streamOf(hello.slice(0, 3), 'break'),
      () => streamOf(answer([text('Hi.')], 'end_turn', 'msg_2')),
    )
    const given = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }), { thread })))
    expect(given[0]?.message.id).toBe('msg_2')
    expect(given.filter(({ type }) => type === 'message_start')).toHaveLength(1)
  })

  it('ends with an error after content: the server alone knows whether it has the answer', async () => {
    const model = upstream(() => streamOf(hello.slice(0, 6), 'break'))
    const given = parse(await read(await ask(createFetch({ ...quick, fetch: model.fetch }), { thread })))
    expect(given.at(-1)).toMatchObject({ type: 'error' })
    expect(model.sent).toHaveLength(1)
  })
})

describe('onEvent', () => {
  it('tells of a request as of a run of one turn', async () => {
    const told: string[] = []
    const model = upstream(
      () => streamOf(hello.slice(0, 3), 'break'),
      () => streamOf(hello),
    )
    const onEvent = (event: FetchEvent, { model: name }: { model: string }): void =>
      void told.push(`${event.type} ${name}`)
    await read(await ask(createFetch({ ...quick, fetch: model.fetch, onEvent })))
    expect([...new Set(told)].map((line) => line.split(' ')[0])).toEqual([
      'run.started',
      'turn.started',
      'block.started',
      'fallback',
      'text.delta',
      'turn.finished',
      'run.finished',
    ])
    expect(told.every((line) => line.endsWith('claude-sonnet-5-5'))).toBe(true)
  })

  it('breaks nothing by throwing, and is reported', async () => {
    const warnings: MillraceError[] = []
    const onEvent = (): never => {
      throw new Error('of the operator')
    }
    const model = upstream(() => streamOf(hello))
    const fetch = createFetch({ fetch: model.fetch, onEvent, onWarning: (error) => warnings.push(error) })
    expect(await read(await ask(fetch))).toBe(hello.join(''))
    expect(new Set(warnings.map(({ code }) => code))).toEqual(new Set(['callback_failed']))
  })
})

it.each([
  [{ recovry: {} }, 'recovry'],
  [{ recovery: { streamRetries: -1 } }, 'recovery.streamRetries'],
  [{ limits: { heldBytes: 0 } }, 'limits.heldBytes'],
  [{ upgrade: 'yes' }, 'upgrade'],
  [{ toolInput: 'drop' }, 'toolInput'],
  [{ fetch: 'fetch' }, 'fetch'],
])('refuses a wrong option at once: %j', (options, path) => {
  expect(() => Reflect.apply(createFetch, undefined, [options])).toThrow(expect.objectContaining({ path }))
})

interface Parsed {
  readonly type: string
  readonly index: number
  readonly message: { readonly id: string }
  readonly content_block: { readonly type: string }
  readonly delta?: { readonly type?: string; readonly text?: string }
}

function parse(sse: string): Parsed[] {
  return [...sse.matchAll(/^data: (.*)$/gm)].map(([, data = '']): Parsed => JSON.parse(data))
}

function textOf(events: readonly Parsed[]): string {
  return events.map(({ delta }) => delta?.text ?? '').join('')
}
