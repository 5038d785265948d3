import { sized } from '@millrace/config/sized'
import { connect } from 'node:net'
import { gunzipSync, constants } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { macrotask, type ManualClock, manualClock } from '../src/async.ts'
import {
  type Fault,
  faultKinds,
  leakCanary,
  type ScriptedClaude,
  startClaude,
  text,
  thinking,
  toolUse,
} from '../src/index.ts'
import { isObject } from '../src/kit/guards.ts'
import { rawPost, type RawAnswer } from './raw-client.ts'
import { accumulate, parseFrames } from './reference-accumulator.ts'

let claude: ScriptedClaude
let clock: ManualClock
/** The body that nothing happens to, and its events. */
let whole: Buffer
let events: ReturnType<typeof parseFrames>
/** The byte offset before each event, and the length of the body at the end. */
let offsets: number[]

const seen = new Set<string>()
const turn = {
  content: [
    thinking('Hm. Grüße 👋🏽'),
    text('漢字 and é'),
    toolUse('charge', { cents: 500, note: 'für 🐈' }, { id: 'toolu_fixed' }),
  ],
  usage: { input_tokens: 10 },
}
const question = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'go' }] }

/** Ids are fresh in each request; all have the same length. */
function sameIds(body: Buffer): string {
  return body.toString('latin1').replace(/msg_01\w{0,22}/g, 'msg_01')
}

beforeAll(async () => {
  clock = manualClock()
  claude = await startClaude({ script: () => turn, clock, chunking: { sizes: [3, 1, 4] } })
  whole = (await ask(undefined)).body
  events = parseFrames(whole.toString())
  offsets = events.map((_event, index) => {
    const before = events
      .slice(0, index)
      .map((event) => `event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`)
    return Buffer.byteLength(before.join(''))
  })
  offsets.push(whole.length)
})
afterAll(async () => await claude.close())
beforeEach(async () => {
  claude.setFaults([])
  while (claude.stats.openRequests > 0) await macrotask()
})

async function ask(fault: Fault | undefined, stream = true, until?: (raw: Buffer) => boolean): Promise<RawAnswer> {
  if (fault !== undefined) seen.add(fault.kind)
  claude.setFaults(fault === undefined ? [] : [{ ...fault, times: 'forever' }])
  return await rawPost(claude.port, JSON.stringify({ ...question, stream }), until)
}

describe('cuts', () => {
  const endings = [
    { kind: 'destroy', ending: 'fin', isTerminated: false, missing: false },
    { kind: 'reset', ending: 'rst', isTerminated: false, missing: false },
    { kind: 'end', ending: 'open', isTerminated: true, missing: false },
    { kind: 'break-chunk', ending: 'fin', isTerminated: false, missing: true },
  ] as const

  test.each(endings)('$kind strikes at every event', async ({ kind, ending, isTerminated, missing }) => {
    for (const event of events.keys()) {
      const answer = await ask({ kind, at: { event } })
      expect(answer.status).toBe(200)
      const partial = kind === 'break-chunk' ? 'event: cont' : ''
      expect(sameIds(answer.body)).toBe(sameIds(whole.subarray(0, offsets[event])) + partial)
      expect([answer.ending, answer.isTerminated, answer.missing > 0]).toEqual([ending, isTerminated, missing])
    }
  })

  test.each(endings)('$kind strikes at bytes inside characters and lines', async ({ kind, ending, isTerminated }) => {
    for (let byte = 0; byte < whole.length; byte += sized({ quick: 21, long: 7 })) {
      const answer = await ask({ kind, at: { byte } })
      expect(sameIds(answer.body.subarray(0, byte))).toBe(sameIds(whole.subarray(0, byte)))
      expect(answer.body.length).toBe(byte + (kind === 'break-chunk' ? 11 : 0))
      expect([answer.ending, answer.isTerminated]).toEqual([ending, isTerminated])
    }
  })

  test('destroy strikes at any byte of the body', async () => {
    for (let byte = 0; byte <= whole.length; byte += sized({ quick: 13, long: 1 })) {
      const answer = await ask({ kind: 'destroy', at: { byte } })
      expect(answer.body.length).toBe(byte)
      expect(answer.ending).toBe('fin')
    }
  })

  test('an event of a body without events is its middle', async () => {
    const { length } = (await ask(undefined, false)).body
    for (const { kind, ending } of endings) {
      const answer = await ask({ kind, at: { event: 3 } }, false)
      expect(answer.body.length - (kind === 'break-chunk' ? 11 : 0)).toBe(Math.floor(length / 2))
      expect(answer.ending).toBe(ending)
    }
  })

  test('gzip compresses the body, whole or cut at every event', async () => {
    const compressed = await ask({ kind: 'gzip' })
    expect(compressed.headers['content-encoding']).toBe('gzip')
    expect(sameIds(gunzipSync(compressed.body))).toBe(sameIds(whole))
    for (const event of events.keys()) {
      const answer = await ask({ kind: 'gzip-cut', at: { event } })
      expect(answer.isTerminated).toBe(true)
      expect(() => gunzipSync(answer.body)).toThrow('unexpected end of file')
      const readable = gunzipSync(answer.body, { finishFlush: constants.Z_SYNC_FLUSH })
      expect(sameIds(readable)).toBe(sameIds(whole.subarray(0, offsets[event])))
    }
  })
})

describe('silence', () => {
  test('stall sends what comes before it, and then nothing', async () => {
    const before = offsets[4] ?? 0
    const answer = await ask({ kind: 'stall', at: { event: 4 } }, true, (raw) => raw.length >= before)
    expect(sameIds(answer.body)).toBe(sameIds(whole.subarray(0, before)))
    expect([answer.ending, clock.pending]).toEqual(['open', 0])
    const record = await claude.waitFor((it) => it.index === claude.requests.length - 1 && it.endedAt !== undefined)
    expect(record.closedBy).toBe('client')
  })

  test('stall with pings sends only pings, at their interval', async () => {
    let pings = 0
    const answer = ask({ kind: 'stall', at: { event: 2 }, pingEvery: 15_000 }, true, (raw) => {
      pings = raw.toString().split('event: ping').length - 2
      return pings === 3
    })
    for (let sent = 0; sent < 3; sent++) {
      await clock.timer()
      clock.advance(14_999)
      expect(clock.pending).toBe(1)
      clock.advance(1)
    }
    expect(parseFrames((await answer).body.toString()).slice(2)).toEqual([
      { type: 'ping' },
      { type: 'ping' },
      { type: 'ping' },
    ])
  })

  test('slow-headers sends the headers when their time is over', async () => {
    const answer = ask({ kind: 'slow-headers', ms: 5000 })
    await clock.timer()
    const record = claude.requests.at(-1)
    expect(record?.status).toBeUndefined()
    clock.advance(5000)
    expect(sameIds((await answer).body)).toBe(sameIds(whole))
  })

  test('no-headers never sends any', async () => {
    claude.setFaults([{ kind: 'no-headers' }])
    seen.add('no-headers')
    const leave = new AbortController()
    const response = fetch(`${claude.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': 'k' },
      body: JSON.stringify(question),
      signal: leave.signal,
    })
    const record = await claude.waitFor((it) => it.faults[0] === 'no-headers')
    for (let round = 0; round < 100; round++) await macrotask()
    expect([record.status, record.bytesSent, record.endedAt]).toEqual([undefined, 0, undefined])
    leave.abort()
    await expect(response).rejects.toThrow(/abort/)
  })

  test('refused resets before any byte, and a closed port refuses connections', async () => {
    const answer = await ask({ kind: 'refused' })
    expect([answer.raw.length, answer.ending]).toEqual([0, 'rst'])
    await claude.refuseConnections()
    const refused = await new Promise((resolve) => connect(claude.port, '127.0.0.1').on('error', resolve))
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' })
    await claude.acceptConnections()
    expect((await ask(undefined)).status).toBe(200)
  })
})

describe('other answers', () => {
  test.each([400, 401, 402, 403, 404, 408, 409, 413, 429, 500, 503, 529])(
    'status %i is answered, streaming and not',
    async (status) => {
      for (const stream of [true, false]) {
        const answer = await ask(
          { kind: 'status', status, retryAfter: 'Wed, 21 Oct 2099 07:28:00 GMT', retryAfterMs: '12' },
          stream,
        )
        expect(answer.status).toBe(status)
        expect(answer.headers['retry-after']).toBe('Wed, 21 Oct 2099 07:28:00 GMT')
        expect(answer.headers['retry-after-ms']).toBe('12')
        const { type, error, request_id: id } = JSON.parse(answer.body.toString())
        expect([type, id]).toEqual(['error', answer.headers['request-id']])
        expect(error.message).toContain(leakCanary)
      }
    },
  )

  test.each([
    ['invalid_request_error', 400],
    ['authentication_error', 401],
    ['billing_error', 402],
    ['permission_error', 403],
    ['not_found_error', 404],
    ['request_too_large', 413],
    ['rate_limit_error', 429],
    ['api_error', 500],
    ['timeout_error', 408],
    ['overloaded_error', 529],
    ['throttlingException', 500],
  ])('error-event %s strikes at every event, and is a %i as a body', async (errorType, status) => {
    for (const event of events.keys()) {
      const answer = await ask({ kind: 'error-event', errorType, at: { event } })
      const frames = parseFrames(answer.body.toString())
      expect(frames).toHaveLength(event + 1)
      expect(frames.at(-1)).toMatchObject({ type: 'error', error: { type: errorType } })
      expect(answer.isTerminated).toBe(true)
    }
    expect((await ask({ kind: 'error-event', errorType }, false)).status).toBe(status)
  })

  test('html and json take the place of a stream', async () => {
    for (const stream of [true, false]) {
      const html = await ask({ kind: 'html' }, stream)
      expect([html.status, html.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
      expect(html.body.toString()).toMatch(/^<!doctype html>/)
      const json = await ask({ kind: 'json' }, stream)
      expect([json.status, json.headers['content-type']]).toEqual([200, 'application/json'])
      expect(JSON.parse(json.body.toString())).toMatchObject({ type: 'message', content: [{}, {}, {}] })
    }
  })
})

describe('odd streams', () => {
  const types = (body: Buffer): unknown[] => parseFrames(body.toString()).map((event) => event.type)
  const wholeTypes = (): unknown[] => events.map((event) => event.type)
  const inserted = (event: number, type: string): unknown[] => wholeTypes().toSpliced(event, 0, type)

  test('add, repeat or replace an event at every place', async () => {
    for (const event of events.keys()) {
      const at = { event }
      expect(types((await ask({ kind: 'unknown-event', at })).body)).toEqual(inserted(event, 'aurora'))
      expect(types((await ask({ kind: 'unknown-delta', at })).body)).toEqual(inserted(event, 'content_block_delta'))
      const twice = parseFrames((await ask({ kind: 'duplicate-event', at })).body.toString())
      expect(twice).toHaveLength(events.length + 1)
      expect(twice[event]).toEqual(twice[event + 1])
      const added = (await ask({ kind: 'garbage-line', mode: 'add', at })).body
      expect(added.length).toBeGreaterThan(whole.length)
      expect(added.subarray(offsets[event]).toString()).toMatch(/^event: content_block_delta\ndata: [^\n]*"del\n\n/)
      const instead = (await ask({ kind: 'garbage-line', mode: 'instead', at })).body.toString()
      expect(instead.split('\n\n')).toHaveLength(events.length + 1)
    }
  })

  test('unknown-delta belongs to the open block', async () => {
    const event = events.findIndex((it) => it.type === 'content_block_start' && it.index === 1) + 1
    const answer = parseFrames((await ask({ kind: 'unknown-delta', at: { event } })).body.toString())
    expect(answer[event]).toEqual({
      type: 'content_block_delta',
      index: 1,
      delta: { type: 'aurora_delta', colour: 'green' },
    })
  })

  test('duplicate-event without a position sends every event twice', async () => {
    expect(types((await ask({ kind: 'duplicate-event' })).body)).toEqual(wholeTypes().flatMap((type) => [type, type]))
  })

  test('second-message-start has the same id or another', async () => {
    for (const event of events.keys()) {
      if (event === 0) continue
      const same = parseFrames((await ask({ kind: 'second-message-start', id: 'same', at: { event } })).body.toString())
      expect(same[event]).toEqual(same[0])
      const other = parseFrames(
        (await ask({ kind: 'second-message-start', id: 'other', at: { event } })).body.toString(),
      )
      expect(other[event]?.type).toBe('message_start')
      expect(other[event]).not.toEqual(other[0])
    }
  })

  test('leave out an event or the last blank line', async () => {
    expect(types((await ask({ kind: 'no-message-stop' })).body)).toEqual(wholeTypes().slice(0, -1))
    const lineless = (await ask({ kind: 'no-final-blank-line' })).body
    expect(sameIds(lineless)).toBe(sameIds(whole.subarray(0, -1)))
    const unstopped = parseFrames((await ask({ kind: 'unstopped-block', block: 1 })).body.toString())
    expect(unstopped.filter((event) => event.type === 'content_block_stop').map((event) => event.index)).toEqual([0, 2])
  })

  test('replay sends all events before a position again, with the same ids', async () => {
    for (const event of events.keys()) {
      const replayed = parseFrames((await ask({ kind: 'replay', at: { event } })).body.toString())
      expect(replayed).toHaveLength(events.length + event)
      expect(replayed.slice(event, 2 * event)).toEqual(replayed.slice(0, event))
    }
  })

  test('prefilled-start holds the whole message, and message_stop follows', async () => {
    const [start, stop, ...more] = parseFrames((await ask({ kind: 'prefilled-start' })).body.toString())
    expect([stop, ...more]).toEqual([{ type: 'message_stop' }])
    const message = isObject(start?.message) ? start.message : {}
    const { id: _id, ...expected } = accumulate(events)
    expect(message).toMatchObject(expected)
    expect(message.stop_reason).toBe('tool_use')
  })

  test('unknown-field and byte-order-mark change nothing else', async () => {
    const fields = (await ask({ kind: 'unknown-field' })).body.toString()
    expect(fields.split('\nx-trace: 1\n')).toHaveLength(events.length + 1)
    expect(sameIds(Buffer.from(fields.replaceAll('x-trace: 1\n', '')))).toBe(sameIds(whole))
    const marked = (await ask({ kind: 'byte-order-mark' })).body
    expect([...marked.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf])
    expect(sameIds(marked.subarray(3))).toBe(sameIds(whole))
  })

  test('no-signature leaves out the signature_delta', async () => {
    const { body } = await ask({ kind: 'no-signature' })
    expect(accumulate(parseFrames(body.toString()))).toMatchObject({ content: [{ signature: '' }, {}, {}] })
    expect(parseFrames(body.toString())).toHaveLength(events.length - 1)
  })

  test('tool-json-cut strikes before each piece', async () => {
    const fragments = (body: Buffer): string[] =>
      parseFrames(body.toString()).flatMap((event) => {
        const piece = isObject(event.delta) ? event.delta.partial_json : undefined
        return typeof piece === 'string' && piece !== '' ? [piece] : []
      })
    const pieces = fragments(whole)
    expect(pieces.join('')).toBe(JSON.stringify({ cents: 500, note: 'für 🐈' }))
    for (const piece of pieces.keys()) {
      const { body } = await ask({ kind: 'tool-json-cut', piece })
      expect(fragments(body)).toEqual(pieces.slice(0, piece))
      expect(types(body).slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop'])
    }
  })

  test.each([true, false])('change the answer itself (streaming: %s)', async (stream) => {
    const read = async (fault: Fault): Promise<Record<string, unknown>> => {
      const { body } = await ask(fault, stream)
      return stream ? accumulate(parseFrames(body.toString())) : JSON.parse(body.toString())
    }
    for (const stopReason of [
      'end_turn',
      'max_tokens',
      'stop_sequence',
      'tool_use',
      'pause_turn',
      'refusal',
      'compaction',
      'of_tomorrow',
    ]) {
      expect(await read({ kind: 'stop-reason', stopReason })).toMatchObject({ stop_reason: stopReason })
    }
    const toolless = await read({ kind: 'tool-use-without-tool' })
    expect(toolless).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'thinking' }, { type: 'text' }] })
    expect(await read({ kind: 'unknown-block' })).toMatchObject({
      content: [{ type: 'hologram', beam: 'blue' }, {}, {}, {}],
    })
    expect(await read({ kind: 'empty-answer' })).toMatchObject({
      content: [],
      stop_reason: 'end_turn',
      usage: { output_tokens: 0 },
    })
  })
})

describe('answers to what a client has kept', () => {
  const post = async (messages: readonly unknown[], stream: boolean): Promise<Record<string, unknown>> => {
    const body = JSON.stringify({ ...question, stream, messages })
    const answer = (await rawPost(claude.port, body)).body.toString()
    return stream ? accumulate(parseFrames(answer)) : JSON.parse(answer)
  }

  test.each([true, false])('repeated-tool-id gives all calls of an answer one id (streaming: %s)', async (stream) => {
    seen.add('repeated-tool-id')
    const calls = ['a', 'b'].map((name) => toolUse(name, { name }))
    claude.setScript(() => ({ content: [text('Both.'), ...calls] }))
    onTestFinished(() => claude.setScript(() => turn))
    claude.setFaults([{ kind: 'repeated-tool-id' }])
    const { content } = await post(question.messages, stream)
    const [, a, b] = Array.isArray(content) ? content : []
    expect([a.name, b.name, a.input, b.id]).toEqual(['a', 'b', { name: 'a' }, a.id])
  })

  test.each([
    ['as a fault', [{ kind: 'start-over', times: 'forever' }], []],
    ['as a quirk', [], [{ kind: 'start-over' }]],
  ] as const)('start-over begins the answer anew when it is asked to go on, %s', async (_name, faults, quirks) => {
    seen.add('start-over')
    const goOn = [
      ...question.messages,
      { role: 'assistant', content: 'One two' },
      { role: 'user', content: 'Continue where you left off.' },
    ]
    const script = [{ content: [text('One two three.')], quirks }]
    claude.setScript(script)
    onTestFinished(() => claude.setScript(() => turn))
    claude.setFaults(faults)
    expect(await post(goOn, true)).toMatchObject({ content: [{ text: 'One two three.' }] })
    claude.setScript(script.map(({ content }) => ({ content })))
    claude.setFaults([])
    expect(await post(goOn, true)).toMatchObject({ content: [{ text: ' three.' }] })
  })
})

describe('quirks of an answer', () => {
  const askFor = async (quirks: unknown, stream = true): Promise<RawAnswer> => {
    claude.setScript(JSON.parse(JSON.stringify([{ ...turn, quirks }])))
    onTestFinished(() => claude.setScript(() => turn))
    return await rawPost(claude.port, JSON.stringify({ ...question, stream }))
  }

  test('are there each time the answer is given, in order, with the faults of the server on top', async () => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const { body } = await askFor([
        { kind: 'prefilled-start' },
        { kind: 'byte-order-mark' },
        { kind: 'unknown-field' },
      ])
      expect(body.toString()).toMatch(/^\u{feff}event: message_start\nx-trace: 1\ndata: .+\n\nevent: message_stop\nx-/u)
    }
    claude.setFaults([{ kind: 'destroy', at: { event: 1 } }])
    const cut = await askFor([{ kind: 'prefilled-start' }])
    expect([parseFrames(cut.body.toString()).length, cut.ending]).toEqual([1, 'fin'])
  })

  test('leave a body alone if they are about a stream', async () => {
    const { body } = await askFor([{ kind: 'prefilled-start' }, { kind: 'byte-order-mark' }], false)
    expect(JSON.parse(body.toString())).toMatchObject({ type: 'message', content: [{}, {}, {}] })
  })

  test.each([
    ['prefilled-start', 'script[0].quirks', /list of quirks/],
    [[1], 'script[0].quirks[0]', /object/],
    [[{ kind: 'destroy' }], 'script[0].quirks[0].kind', /must be one of error-event, /],
    [[{ kind: 'unstopped-block', block: -1 }], 'script[0].quirks[0].block', /0 or a positive integer/],
    [[{ kind: 'unknown-field', times: 2 }], 'script[0].quirks[0].times', /unknown option/],
    [[{ kind: 'stop-reason' }], 'script[0].quirks[0].stopReason', /required/],
  ])('refuses %j at its place', (quirks, path, message) => {
    const script = JSON.parse(JSON.stringify([{ content: [], quirks }]))
    expect(() => claude.setScript(script)).toThrow(expect.objectContaining({ code: 'invalid_option', path }))
    expect(() => claude.setScript(script)).toThrow(message)
  })
})

// Last, because it looks back on the others: a kind without a test on the wire is no fault that anybody can rely on.
test('this file tries every kind', () => {
  expect([...seen].toSorted()).toEqual(faultKinds.map(({ kind }) => kind).toSorted())
})
