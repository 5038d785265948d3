import { describe, expect, it } from 'vitest'
import { isProblem, parseCancel, parseCursor, parseStartRun, problemStatus } from '../src/index.ts'

const messages = [{ role: 'user', content: 'hi' }]

describe('parseStartRun', () => {
  it('takes every field', () => {
    const body = {
      sessionId: 's',
      mode: 'stream',
      retraction: 'hold',
      metadata: { a: 1 },
      runId: '018f4b1e-0000-4000-8000-000000000000',
    }
    expect(parseStartRun({ messages, ...body })).toEqual({ messages, ...body })
    expect(parseStartRun({ input: 'hi' })).toEqual({ input: 'hi' })
    const blocks = [{ role: 'assistant', content: [{ type: 'anything', x: 1 }] }]
    expect(parseStartRun({ messages: blocks })).toEqual({ messages: blocks })
  })

  it.each<[string, unknown, string | undefined]>([
    ['nothing', undefined, undefined],
    ['a list', [], undefined],
    ['a text', 'x', undefined],
    ['neither messages nor input', {}, 'messages'],
    ['both', { messages, input: 'x' }, 'messages'],
    ['no messages', { messages: [] }, 'messages'],
    ['messages that are no list', { messages: {} }, 'messages'],
    ['a message that is no object', { messages: [...messages, 'x'] }, 'messages[1]'],
    ['an unknown role', { messages: [{ role: 'system', content: 'x' }] }, 'messages[0]'],
    ['no content', { messages: [{ role: 'user' }] }, 'messages[0]'],
    ['content without types', { messages: [{ role: 'user', content: [{}] }] }, 'messages[0]'],
    ['an empty input', { input: ' ' }, 'input'],
    ['an input that is no text', { input: 1 }, 'input'],
    ['an unknown mode', { input: 'x', mode: 'legacy' }, 'mode'],
    ['an unknown retraction', { input: 'x', retraction: 'auto' }, 'retraction'],
    ['metadata that is no object', { input: 'x', metadata: [] }, 'metadata'],
    ['a run id that is easy to guess', { input: 'x', runId: '1' }, 'runId'],
    ['an empty session id', { input: 'x', sessionId: '' }, 'sessionId'],
    ['a session id that is too long', { input: 'x', sessionId: 'x'.repeat(257) }, 'sessionId'],
    ['a session id that is no text', { input: 'x', sessionId: 1 }, 'sessionId'],
  ])('refuses %s', (_name, body, path) => {
    expect(() => parseStartRun(body)).toThrow(expect.objectContaining({ code: 'invalid_input', path }))
  })

  it.each([
    ['message', '{"message":"x"}'],
    ['Mode', '{"input":"x","Mode":"stream"}'],
    ['', '{"input":"x","":1}'],
    ['toString', '{"input":"x","toString":1}'],
    ['x'.repeat(64), `{"input":"x","${'x'.repeat(1000)}":1}`],
  ])('rejects the unknown field %j and lists the known ones', (path, body) => {
    const known = 'expected one of input, messages, metadata, mode, retraction, runId, sessionId'
    const error = { code: 'invalid_input', message: `unknown field "${path}"; ${known}` }
    expect(() => parseStartRun(JSON.parse(body))).toThrow(expect.objectContaining(error))
  })

  it('ignores fields of a prototype', () => {
    const body: unknown = JSON.parse('{"input":"x","__proto__":{"mode":"stream","sessionId":"stolen"}}')
    expect(() => parseStartRun(body)).toThrow(expect.objectContaining({ path: '__proto__' }))
    expect(() => parseStartRun(Object.create({ input: 'x' }))).toThrow('either')
  })
})

describe('parseCancel', () => {
  it('takes a reason, or no body', () => {
    expect(parseCancel(undefined)).toEqual({})
    expect(parseCancel({})).toEqual({})
    expect(parseCancel({ reason: 'user' })).toEqual({ reason: 'user' })
  })

  it.each([[null], [[]], ['x'], [{ reason: 1 }], [{ reason: '' }], [{ why: 'x' }]])('refuses %j', (body) => {
    expect(() => parseCancel(body)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })
})

describe('parseCursor', () => {
  it('reads a seq, and no cursor as the start', () => {
    expect([null, undefined, '', '0', '17'].map((cursor) => parseCursor(cursor))).toEqual([0, 0, 0, 0, 17])
  })

  it.each(['-1', '1.5', 'x', '1e3', '9'.repeat(16), ' 1'])('refuses %j', (cursor) => {
    for (const source of ['after', 'Last-Event-ID'] as const) {
      const error = { code: 'invalid_input', path: source, message: expect.stringContaining(`\`${source}\``) }
      expect(() => parseCursor(cursor, source)).toThrow(expect.objectContaining(error))
    }
  })
})

describe('problems', () => {
  it('are recognised', () => {
    expect(isProblem({ type: 'about:blank', title: 'Not Found', status: 404, code: 'not_found' })).toBe(true)
    expect([null, 'x', {}, { title: 'x' }].some(isProblem)).toBe(false)
  })

  it('all have a status of an error', () => {
    expect(Object.values(problemStatus).every((status) => status >= 400 && status < 600)).toBe(true)
  })
})
