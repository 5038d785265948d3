import type { FlagSource } from '@millrace/flags'
import { manualClock } from '@millrace/testing/async'
import {
  type EvaluationResponse,
  OFREPApi,
  OFREPApiTooManyRequestsError,
  OFREPApiUnauthorizedError,
  OFREPForbiddenError,
} from '@openfeature/ofrep-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ofrepFlags, type OfrepFlagsOptions } from '../src/index.ts'
import { type FlagServer, startFlagServer } from './support/flag-server.ts'
import { checkAnswer, checkRequest, checkStreamMessage, type OfrepAnswer } from './support/ofrep-schema.ts'
import { type OfrepServer, startOfrepServer } from './support/start-ofrep-server.ts'

const staff = { targetingKey: 'u1', email: 'ada@corp.example' }
const keys = [
  'use_streaming',
  'use_streaming.kill',
  'use_streaming.tool.*',
  'broken',
  'theme',
  'limit',
  'layout',
  'retired',
]

let server: OfrepServer
beforeAll(async () => {
  server = await startOfrepServer()
})
afterAll(() => server.stop())

const open: FlagSource[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.close()))
})

function connect(options: Partial<OfrepFlagsOptions> = {}): ReturnType<typeof ofrepFlags> {
  const source = ofrepFlags({ baseUrl: server.baseUrl, firstAnswer: 20_000, ...options })
  open.push(source)
  return source
}

/** What of an evaluation our client is to understand. */
function asResolution(item: EvaluationResponse): object {
  if ('errorCode' in item) return { status: 'error', errorCode: item.errorCode }
  const { value, variant, reason } = item
  return value === undefined ? { status: 'default', reason } : { status: 'resolved', value, variant, reason }
}

interface Question {
  readonly key?: string
  readonly body?: string
  readonly headers?: Record<string, string>
}

async function post({ key, body = JSON.stringify({ context: staff }), headers = {} }: Question): Promise<OfrepAnswer> {
  const path = `/ofrep/v1/evaluate/flags${key === undefined ? '' : `/${encodeURIComponent(key)}`}`
  const response = await fetch(`${server.baseUrl}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

const refusals = [
  ['Bearer wrong', 401],
  ['Bearer of another', 403],
  ['Bearer impatient', 429],
  ['Bearer impatient, dated', 429],
  ['Bearer unlucky', 500],
] as const

describe('the server', () => {
  it.each(keys)('evaluates %s as in OpenAPI 0.3.0', async (key) => {
    const answer = await post({ key })
    expect(answer.status).toBe(key === 'broken' ? 400 : 200)
    expect(checkAnswer('single', answer)).toEqual([])
  })

  it('evaluates all flags together, names its change stream, and recognizes its ETag', async () => {
    const answer = await post({})
    expect(answer).toMatchObject({ status: 200, body: { eventStreams: [{ type: 'sse' }] } })
    expect(checkAnswer('bulk', answer)).toEqual([])
    const again = await post({ headers: { 'if-none-match': answer.headers.get('etag') ?? '' } })
    expect(again).toMatchObject({ status: 304, body: undefined })
    expect(checkAnswer('bulk', again)).toEqual([])
    const other = await post({
      body: '{"context":{"targetingKey":"u2"}}',
      headers: { 'if-none-match': answer.headers.get('etag') ?? '' },
    })
    expect(other.status).toBe(200)
  })

  it.each(['', '{', '{}', 'null', '{"context":{}}', '{"context":{"targetingKey":7}}'])('refuses %j', async (body) => {
    const [bulk, single] = [await post({ body }), await post({ body, key: 'theme' })]
    expect([bulk.status, single.status]).toEqual([400, 400])
    expect([...checkAnswer('bulk', bulk), ...checkAnswer('single', single)]).toEqual([])
  })

  it('answers 404 for a flag that does not exist', async () => {
    const answer = await post({ key: 'absent' })
    expect(answer.status).toBe(404)
    expect(checkAnswer('single', answer)).toEqual([])
  })

  it.each(refusals)('answers %s with %i', async (authorization, status) => {
    for (const endpoint of ['single', 'bulk'] as const) {
      const answer = await post({ headers: { authorization }, ...(endpoint === 'single' && { key: 'theme' }) })
      expect(answer.status).toBe(status)
      expect(checkAnswer(endpoint, answer)).toEqual([])
    }
  })

  it('reports a change on its stream', async () => {
    const leaving = new AbortController()
    const stream = await fetch(`${server.baseUrl}/changes`, { signal: leaving.signal })
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    await fetch(`${server.baseUrl}/kill`)
    const chunk = await stream.body?.getReader().read()
    const [, data = ''] = /^data: (.*)$/m.exec(new TextDecoder().decode(chunk?.value)) ?? []
    leaving.abort()
    const message: unknown = JSON.parse(data)
    expect(message).toMatchObject({ type: 'refetchEvaluation' })
    expect(checkStreamMessage(message)).toEqual([])
  })
})

describe("the protocol's own client", () => {
  it('accepts the server, and reads the same answers as our client', async () => {
    const api = new OFREPApi({ baseUrl: server.baseUrl })
    const { httpStatus, value, httpResponse } = await api.postBulkEvaluateFlags({ context: staff })
    expect(httpStatus).toBe(200)
    const flags = value !== undefined && 'flags' in value ? (value.flags ?? []) : []
    expect(flags.length).toBeGreaterThan(7)
    const source = connect()
    for (const item of flags) {
      const key = item.key ?? ''
      const ours = await source.resolve(key, staff)
      const single = await api.postEvaluateFlag(key, { context: staff })
      expect(single.value).toEqual(item)
      expect(ours).toMatchObject(asResolution(item))
    }
    const etag = httpResponse?.headers.get('etag') ?? null
    expect(await api.postBulkEvaluateFlags({ context: staff }, etag)).toMatchObject({ httpStatus: 304 })
  })

  it.each([
    ['Bearer wrong', OFREPApiUnauthorizedError],
    ['Bearer of another', OFREPForbiddenError],
    ['Bearer impatient', OFREPApiTooManyRequestsError],
    ['Bearer impatient, dated', OFREPApiTooManyRequestsError],
  ])('understands the refusal of %s', async (authorization, expected) => {
    const api = new OFREPApi({ baseUrl: server.baseUrl, headers: [['authorization', authorization]] })
    await expect(api.postEvaluateFlag('theme', { context: staff })).rejects.toBeInstanceOf(expected)
    await expect(api.postBulkEvaluateFlags({ context: staff })).rejects.toBeInstanceOf(expected)
  })

  it('understands a missing flag, a wrong context and an outage', async () => {
    const api = new OFREPApi({ baseUrl: server.baseUrl })
    const unlucky = new OFREPApi({ baseUrl: server.baseUrl, headers: [['authorization', 'Bearer unlucky']] })
    expect(await api.postEvaluateFlag('absent', { context: staff })).toMatchObject({ httpStatus: 404 })
    expect(await api.postEvaluateFlag('theme', { context: {} })).toMatchObject({ httpStatus: 400 })
    expect(await api.postBulkEvaluateFlags({ context: {} })).toMatchObject({ httpStatus: 400 })
    expect(await unlucky.postBulkEvaluateFlags({ context: staff })).toMatchObject({ httpStatus: 500 })
  })
})

describe('our client', () => {
  it('is ready with a server that requires a targeting key, and answers contexts that have one', async () => {
    const source = connect()
    await source.ready()
    expect(await source.getBooleanDetails('use_streaming', false, staff)).toMatchObject({ value: true })
    expect(await source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: false, reason: 'ERROR' })
  })

  it.each(refusals)('is not ready if the server answers %s with %i', async (authorization, status) => {
    const source = connect({ headers: { authorization } })
    await expect(source.ready()).rejects.toThrow(`the server answered ${status}`)
    expect(await source.getBooleanDetails('use_streaming', false, staff)).toMatchObject({ value: false })
    expect(JSON.stringify(source.describe())).not.toContain('Bearer')
  })
})

describe('an answer beyond the document', () => {
  let other: FlagServer
  afterEach(() => other.close())

  async function ask(answer: unknown, key: string): Promise<unknown> {
    other = await startFlagServer(JSON.stringify(answer), '{"flags":[]}')
    const source = connect({ baseUrl: new URL('/', other.url), clock: manualClock() })
    await source.ready()
    const details = await source.getBooleanDetails(key, false, staff)
    for (const { body } of other.requests.slice(1)) expect(checkRequest(JSON.parse(body))).toEqual([])
    return details
  }

  it('may be the example of the document, which breaks its own schema', async () => {
    const example = {
      flags: [
        { key: 'use_streaming', value: true, reason: 'TARGETING_MATCH', variant: 'enabled' },
        { key: 'theme-color', value: 'blue', reason: 'STATIC', variant: 'default' },
        { key: 'absent', errorCode: 'FLAG_NOT_FOUND', errorDetails: "Flag 'absent' was not found" },
      ],
      eventStreams: [{ type: 'sse', url: 'https://sse.example.com/changes?channel=secret', inactivityDelaySec: 120 }],
      metadata: { version: 'v12' },
    }
    expect(checkAnswer('bulk', { status: 200, headers: new Headers({ etag: 'x' }), body: example })).not.toEqual([])
    expect(await ask(example, 'use_streaming')).toEqual({ value: true, reason: 'TARGETING_MATCH', variant: 'enabled' })
  })

  it.each([
    ['a reason of its own', { reason: 'DEFAULT', variant: 'on' }],
    ['no reason', {}],
    ['a type of flag', { type: 'boolean', cacheable: true }],
  ])('may have %s', async (_, more) => {
    expect(await ask({ flags: [{ key: 'use_streaming', value: true, ...more }] }, 'use_streaming')).toMatchObject({
      value: true,
    })
  })

  it('may have a list as the value of a flag of others', async () => {
    const flags = [
      { key: 'regions', value: ['eu', 'us'], reason: 'STATIC' },
      { key: 'use_streaming', value: true, reason: 'STATIC' },
    ]
    expect(await ask({ flags }, 'use_streaming')).toMatchObject({ value: true })
  })
})

describe('the check itself', () => {
  const good = { key: 'a', reason: 'STATIC', value: true, variant: 'on' }
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}): OfrepAnswer => ({
    status,
    body,
    headers: new Headers({ 'content-type': 'application/json', etag: '"x"', ...headers }),
  })

  it.each([
    ['single', answer(200, { ...good, reason: 'DEFAULT' })],
    ['single', answer(200, { key: 'a', value: true })],
    ['single', answer(200, { ...good, value: null })],
    ['single', answer(200, { ...good, metadata: { a: {} } })],
    ['single', answer(400, { key: 'a', errorCode: 'FLAG_NOT_FOUND' })],
    ['single', answer(404, { key: 'a', errorCode: 'GENERAL' })],
    ['single', answer(304, undefined)],
    ['single', answer(500, { errorDetails: 1 })],
    ['single', answer(429, undefined, { 'retry-after': 'soon' })],
    ['bulk', answer(200, {})],
    ['bulk', answer(200, { flags: [{ ...good, errorCode: 'GENERAL', key: 1 }] })],
    ['bulk', answer(200, { flags: [good], eventStreams: [{ url: 'https://a' }] })],
    ['bulk', answer(200, { flags: [good], eventStreams: [{ type: 'sse' }] })],
    [
      'bulk',
      answer(200, { flags: [], eventStreams: [{ type: 'sse', url: 'https://a', endpoint: { requestUri: '/' } }] }),
    ],
    ['bulk', answer(200, { flags: [], eventStreams: [{ type: 'sse', endpoint: { requestUri: 'changes' } }] })],
    ['bulk', answer(200, { flags: [], eventStreams: [{ type: 'sse', url: 'https://a', inactivityDelaySec: 0 }] })],
    ['bulk', { status: 200, body: { flags: [] }, headers: new Headers({ 'content-type': 'application/json' }) }],
    ['bulk', { status: 200, body: { flags: [] }, headers: new Headers({ etag: 'x' }) }],
    ['bulk', answer(304, {})],
    ['bulk', answer(400, { errorDetails: 'x' })],
    ['bulk', answer(418, {})],
  ] as const)('finds what is wrong with %s %j', (endpoint, given) => {
    expect(checkAnswer(endpoint, given)).not.toEqual([])
  })

  it.each([{}, { context: {} }, { context: { targetingKey: 1 } }])(
    'finds what is wrong with the request %j',
    (body) => {
      expect(checkRequest(body)).not.toEqual([])
    },
  )

  it.each([{}, { type: 'refetchEvaluation', lastModified: -1 }, { type: 'refetchEvaluation', lastModified: 'now' }])(
    'finds what is wrong with the message %j',
    (message) => {
      expect(checkStreamMessage(message)).not.toEqual([])
    },
  )
})
