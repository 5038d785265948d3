import Anthropic from '@anthropic-ai/sdk'
import { text, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Cassette,
  compareCassette,
  createRecorder,
  type Fetch,
  type OpenExchange,
  type ParityError,
  recordingFetch,
} from '../src/index.ts'
import { startRecordingProxy } from '../src/node.ts'
import { shopScript } from './loops/shop-script.ts'
import { apiKey, runLegacyLoop } from './support/legacy-loops.ts'
import { claudeFor, memorySink, recordLoop, recordWith } from './support/recorded.ts'

const body = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hello' }] }

const kindsOf = (cassettes: readonly Cassette[]): string[][] =>
  cassettes.map(({ exchanges }) =>
    exchanges.map(({ answer }) => (answer.kind === 'broken' ? answer.reason : answer.kind)),
  )

/** A fetch that answers with these bytes. */
function answering(pieces: readonly (string | Uint8Array)[], init: ResponseInit = {}): Fetch {
  return () => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces)
          controller.enqueue(typeof piece === 'string' ? new TextEncoder().encode(piece) : piece)
        controller.close()
      },
    })
    return Promise.resolve(new Response(stream, init))
  }
}

const post = (given: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(given) })
const url = 'https://claude.example/v1/messages'

/** What a recorder makes of one exchange. */
async function recordOne(
  fetch: Fetch,
  init: RequestInit = post(body),
  at = url,
): Promise<{
  readonly cassettes: readonly Cassette[]
  readonly problems: readonly ParityError[]
  readonly got: string
}> {
  const sink = memorySink()
  const problems: ParityError[] = []
  const recorder = createRecorder({ sink, onProblem: (problem) => problems.push(problem) })
  const got = await recordingFetch({ recorder, fetch })(at, init).then(
    (response) => response.text(),
    (error: unknown) => String(error),
  )
  await recorder.close()
  return { cassettes: sink.cassettes(), problems, got }
}

const message = JSON.stringify({ content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn', usage: {} })

describe('recordingFetch', () => {
  it('returns the answer unchanged', async () => {
    const { got, cassettes, problems } = await recordOne(answering([message.slice(0, 9), message.slice(9)]))
    expect(got).toBe(message)
    expect(kindsOf(cassettes)).toEqual([['message']])
    expect(problems).toEqual([])
  })

  it.each([
    ['a body that is no JSON', answering(['<html>'])],
    ['JSON that is no message', answering(['{"content":[]}'])],
    ['bytes that are no text', answering([new Uint8Array([0xff, 0xfe])])],
  ])('passes %s, and reports it', async (_, fetch) => {
    const { cassettes, problems } = await recordOne(fetch)
    expect(kindsOf(cassettes)).toEqual([['unreadable']])
    expect(problems.map(({ code }) => code)).toEqual(['not_recorded'])
  })

  it('rejects as its fetch does, and records a failed run', async () => {
    const { got, cassettes } = await recordOne(() => Promise.reject(new TypeError('fetch failed')))
    expect(got).toBe('TypeError: fetch failed')
    expect(kindsOf(cassettes)).toEqual([['connection_failed']])
  })

  it.each([
    ['another path', post(body), 'https://claude.example/v1/messages/count_tokens'],
    ['another method', { method: 'GET' }, url],
    ['a body that is a stream', { method: 'POST', body: new Blob(['{}']).stream(), duplex: 'half' }, url],
  ] as const)('passes %s without recording it', async (_, init, at) => {
    const { got, cassettes, problems } = await recordOne(answering(['as it is']), init, at)
    expect(got).toBe('as it is')
    expect([cassettes, problems]).toEqual([[], []])
  })

  it.each([
    ['no JSON', 'not json'],
    ['no messages', JSON.stringify({ model: 'claude-x', max_tokens: 1 })],
    ['a message without a role', JSON.stringify({ ...body, messages: [{ content: 'x' }] })],
    ['a block without a type', JSON.stringify({ ...body, messages: [{ role: 'user', content: [{}] }] })],
  ])('passes a request of %s, and reports it', async (_, given) => {
    const { got, cassettes, problems } = await recordOne(answering([message]), { method: 'POST', body: given })
    expect(got).toBe(message)
    expect(cassettes).toEqual([])
    expect(problems[0]?.message).toBe('a request is not one of the Messages API, so it is in no cassette')
  })

  it('reads no faster than the client, and cancels a stream that the client leaves', async () => {
    let pulled = 0
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++
          controller.enqueue(new Uint8Array(1_000))
        },
        cancel() {
          cancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    const sink = memorySink()
    const recorder = createRecorder({ sink })
    const response = await recordingFetch({ recorder, fetch: () => Promise.resolve(new Response(endless)) })(
      url,
      post(body),
    )
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.read()
    expect(pulled).toBeLessThanOrEqual(3)
    await reader?.cancel()
    expect(cancelled).toBe(true)
    await recorder.close()
    expect(kindsOf(sink.cassettes())).toEqual([['client_left']])
  })

  it('records a stream as whole that was whole when its client left', async () => {
    const claude = await claudeFor([{ content: [text('Hello there.')] }])
    const { cassettes } = await recordWith(async (fetch) => {
      const client = new Anthropic({ apiKey, baseURL: claude.url, fetch })
      const events = await client.messages.create({ ...body, stream: true })
      for await (const { type } of events) if (type === 'message_delta') break
    })
    expect(kindsOf(cassettes)).toEqual([['stream']])
  })

  it('records an interrupted client as one that left', async () => {
    const claude = await claudeFor([{ content: [text('Hello there.')] }], { faults: [{ kind: 'no-headers' }] })
    const stop = new AbortController()
    const { cassettes } = await recordWith(async (fetch) => {
      const client = new Anthropic({ apiKey, baseURL: claude.url, fetch, maxRetries: 0 })
      const asked = client.messages.create(body, { signal: stop.signal })
      await claude.waitFor((record) => record.body !== undefined)
      stop.abort()
      await asked
    })
    expect(kindsOf(cassettes)).toEqual([['client_left']])
  })
})

describe('runs', () => {
  it('are told apart if they are concurrent, even if they say the same', async () => {
    const claude = await claudeFor(shopScript)
    const asked = ['Charge twice', 'Charge twice', 'Hello', 'Where is order 17?', 'Charge twice', 'Hello']
    const { cassettes, problems } = await recordWith((fetch) =>
      Promise.all(
        asked.map((question, index) =>
          runLegacyLoop({ baseURL: claude.url, fetch, question, stream: index % 2 === 0 }),
        ),
      ),
    )
    expect(problems).toEqual([])
    expect(cassettes.map(({ exchanges }) => exchanges.length).toSorted((one, other) => one - other)).toEqual([
      1, 1, 2, 3, 3, 3,
    ])
    for (const cassette of cassettes) expect((await compareCassette(cassette)).differences).toEqual([])
  })

  it('include retries, and end before the next question', async () => {
    const claude = await claudeFor(shopScript, { faults: [{ kind: 'status', status: 529, times: 1 }] })
    const { cassettes } = await recordWith(async (fetch) => {
      await runLegacyLoop({ baseURL: claude.url, fetch, question: 'Hello', maxRetries: 1 })
      await runLegacyLoop({ baseURL: claude.url, fetch, question: 'Hello' })
    })
    expect(kindsOf(cassettes)).toEqual([['error', 'message'], ['message']])
  })

  it('go on before the connection of the last answer has ended', async () => {
    const sink = memorySink()
    const recorder = createRecorder({ sink })
    const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
    const ask = (messages: readonly unknown[]): OpenExchange => {
      const exchange = recorder.open({ header: () => undefined, isBeta: false })
      exchange.requestBytes(bytes({ ...body, messages }))
      exchange.requestEnd()
      exchange.answerHead(200, () => 'application/json')
      return exchange
    }
    const call = { type: 'tool_use', id: 'a1', name: 'look_up', input: {} }
    const first = ask(body.messages)
    first.answerBytes(bytes({ content: [call], stop_reason: 'tool_use', usage: {} }))
    // No answerEnd yet; and another answer that is only half there.
    const other = ask([{ role: 'user', content: 'Something else' }])
    other.answerBytes(new TextEncoder().encode('{"content":'))
    const results = [{ type: 'tool_result', tool_use_id: 'a1', content: 'x' }]
    const second = ask([...body.messages, { role: 'assistant', content: [call] }, { role: 'user', content: results }])
    second.answerBytes(bytes({ content: [], stop_reason: 'end_turn', usage: {} }))
    second.answerEnd()
    first.answerEnd()
    other.fail('cut')
    await recorder.close()
    const kinds = kindsOf(sink.cassettes()).map((each) => each.join(' '))
    expect(kinds.toSorted()).toEqual(['cut', 'message message'])
  })

  it('go on after a pause', async () => {
    const script: Turn[] = [
      {
        content: [text('I look.'), { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} }],
        stopReason: 'pause_turn',
      },
      { content: [{ type: 'web_search_tool_result', tool_use_id: 's1', content: [] }, text('Done.')] },
    ]
    const cassette = await recordLoop(script)
    expect(kindsOf([cassette])).toEqual([['message', 'message']])
  })

  it('go on if a loop shortens its history', async () => {
    const claude = await claudeFor(({ toolResults }) =>
      toolResults.length > 0 && JSON.stringify(toolResults).includes('b1')
        ? { content: [text('Done.')] }
        : { content: [{ ...toolUse('look_up', {}), id: toolResults.length === 0 ? 'a1' : 'b1' }] },
    )
    const { cassettes } = await recordWith(async (fetch) => {
      const client = new Anthropic({ apiKey, baseURL: claude.url, fetch, maxRetries: 0 })
      const result = (id: string): Anthropic.MessageParam[] => [
        { role: 'assistant', content: [{ type: 'tool_use', id, name: 'look_up', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: 'x' }] },
      ]
      await client.messages.create(body)
      await client.messages.create({ ...body, messages: [...body.messages, ...result('a1')] })
      // The first call and its result are dropped.
      await client.messages.create({ ...body, messages: [...body.messages, ...result('b1')] })
    })
    expect(kindsOf(cassettes)).toEqual([['message', 'message', 'message']])
    const [cassette] = cassettes
    const report = cassette === undefined ? undefined : await compareCassette(cassette)
    expect(report?.differences[0]).toMatchObject({ turn: 3, path: 'request.messages[1]' })
  })

  it('are forgotten if too many are idle, without losing what was recorded', async () => {
    const claude = await claudeFor([
      { content: [{ ...toolUse('look_up', {}), id: 'a1' }] },
      { content: [text('Done.')] },
    ])
    const { cassettes } = await recordWith(
      async (fetch) => {
        const client = new Anthropic({ apiKey, baseURL: claude.url, fetch, maxRetries: 0 })
        for (const content of ['one', 'two', 'three']) {
          await client.messages.create({ ...body, messages: [{ role: 'user', content }] })
        }
      },
      { maxOpenRuns: 2 },
    )
    expect(kindsOf(cassettes)).toEqual([['message'], ['message'], ['message']])
  })

  it('are reported if they are too large to hold, and keep what was recorded', async () => {
    const { cassettes, problems } = await recordWith(
      async (fetch) => {
        const claude = await claudeFor(shopScript)
        await runLegacyLoop({ baseURL: claude.url, fetch, question: 'Charge twice' })
      },
      { maxHeldBytes: 2_300 },
    )
    expect(problems.map(({ code }) => code)).toContain('not_recorded')
    expect(cassettes.flatMap(({ exchanges }) => exchanges).length).toBeGreaterThan(0)
    for (const cassette of cassettes) await compareCassette(cassette)
  })
})

/** Listeners of an operator that fail. */
const failingListeners: readonly (readonly [string, () => void])[] = [
  [
    'throws',
    () => {
      throw new Error('nor this')
    },
  ],
  ['rejects', async () => Promise.reject(new Error('nor this'))],
]

describe('a recorder', () => {
  it.each([
    [{}, 'sink must be an object with write()'],
    [{ sink: memorySink(), redact: 'text' }, 'redact must be an array'],
    [{ sink: memorySink(), redact: ['a..b'] }, 'redact[0] cannot be read at "..b"'],
    [{ sink: memorySink(), redact: [''] }, 'redact[0] must not be empty'],
    [{ sink: memorySink(), secrets: ['short'] }, 'secrets[0] must be a string of at least 8 characters'],
    [{ sink: memorySink(), maxBodyBytes: 0 }, 'maxBodyBytes must be a whole number of at least 1'],
    [{ sink: memorySink(), recordingId: '../x' }, 'recordingId must be 1 to 100 letters'],
    [{ sink: memorySink(), onProblem: 1 }, 'onProblem must be a function'],
    [{ sink: memorySink(), secret: ['x'] }, 'unknown option "secret"; did you mean "secrets"?'],
    [{ sink: memorySink(), clock: {} }, 'clock must be an object with now()'],
  ])('refuses %j', (options, message) => {
    expect(() => Reflect.apply(createRecorder, undefined, [options])).toThrow(message)
  })

  it('aborts the signal of its sink if its close is given up', async () => {
    let seen: AbortSignal | undefined
    const recorder = createRecorder({
      sink: {
        write: (_, signal) => {
          seen = signal
          return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      },
    })
    const fetch = recordingFetch({ recorder, fetch: answering([message]) })
    await (await fetch(url, post(body))).text()
    const stop = new AbortController()
    const closed = recorder.close(stop.signal)
    expect(seen?.aborted).not.toBe(true)
    stop.abort('enough')
    await closed
    expect(seen?.reason).toBe('enough')
    expect(recorder.stats.lost).toBe(1)
  })

  it.each(failingListeners)(
    'changes nothing for the loop if its sink fails and its listener %s',
    async (_, onProblem) => {
      const claude = await claudeFor(shopScript)
      const recorder = createRecorder({ sink: { write: () => Promise.reject(new Error('no')) }, onProblem })
      const fetch = recordingFetch({ recorder })
      await expect(runLegacyLoop({ baseURL: claude.url, fetch, question: 'Hello' })).resolves.toHaveLength(2)
      await recorder.close()
      await recorder.close()
      expect(recorder.stats).toEqual({ runs: 1, exchanges: 1, failed: 0, lost: 1 })
    },
  )
})

describe('the proxy', () => {
  it.each(failingListeners)(
    'closes the connection of an unreachable upstream if its listener %s',
    async (_, onProblem) => {
      const claude = await claudeFor([])
      const upstream = claude.url
      await claude.close()
      const recorder = createRecorder({ sink: memorySink() })
      const proxy = await startRecordingProxy({ upstream, recorder, onProblem })
      onTestFinished(() => proxy.close())
      for (let request = 0; request < 2; request++) {
        await expect(fetch(`${proxy.url}/v1/messages`, post(body))).rejects.toThrow('fetch failed')
      }
    },
  )

  it('passes everything unchanged, recorded or not', async () => {
    const claude = await claudeFor(shopScript)
    const sink = memorySink()
    const recorder = createRecorder({ sink })
    const proxy = await startRecordingProxy({ upstream: `${claude.url}/`, recorder })
    onTestFinished(() => proxy.close())
    const direct = await fetch(`${claude.url}/v1/models`, { headers: { 'x-api-key': apiKey } })
    const passed = await fetch(`${proxy.url}/v1/models`, { headers: { 'x-api-key': apiKey } })
    expect([passed.status, (await passed.text()).replace(/req_\w+/, '')]).toEqual([
      direct.status,
      (await direct.text()).replace(/req_\w+/, ''),
    ])
    await runLegacyLoop({ baseURL: proxy.url, question: 'Charge twice', stream: true })
    await recorder.close()
    expect(kindsOf(sink.cassettes())).toEqual([['stream', 'stream', 'stream']])
    // The key reached the upstream, and nothing else.
    expect(claude.requests.at(-1)?.headers['authorization']).toBe('[redacted]')
    expect(sink.texts().join('')).not.toContain(apiKey)
  })

  it.each(['', 'claude', 'ftp://claude.example'])('refuses the upstream "%s"', async (upstream) => {
    const recorder = createRecorder({ sink: memorySink() })
    await expect(startRecordingProxy({ upstream, recorder })).rejects.toMatchObject({
      code: 'invalid_option',
      path: 'upstream',
    })
  })

  it('refuses a port in use', async () => {
    const claude = await claudeFor([])
    const recorder = createRecorder({ sink: memorySink() })
    const proxy = startRecordingProxy({ upstream: claude.url, recorder, port: claude.port })
    await expect(proxy).rejects.toMatchObject({ code: 'listen_failed' })
  })
})
