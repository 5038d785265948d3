import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { macrotask, manualClock } from '../src/async.ts'
import {
  type ClaudeOptions,
  largeText,
  type ScriptedClaude,
  startClaude,
  text,
  thinking,
  toolUse,
} from '../src/index.ts'
import { accumulate, parseFrames } from './reference-accumulator.ts'

let claude: ScriptedClaude | undefined
afterEach(async () => await claude?.close())

async function start(options: ClaudeOptions): Promise<ScriptedClaude> {
  claude = await startClaude(options)
  return claude
}

const user = (content: unknown) => ({ role: 'user', content })
const assistant = (content: unknown) => ({ role: 'assistant', content })

function ask(url: string, messages: unknown[], more: object = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-secret' },
    body: JSON.stringify({ model: 'm', max_tokens: 100, messages, ...more }),
    ...init,
  })
}

async function answerText(url: string, messages: unknown[], more: object = {}): Promise<string> {
  const message = await (await ask(url, messages, more)).json()
  return message.content.map((block: { text?: string }) => block.text ?? '').join('')
}

describe('scripts', () => {
  const script = [{ content: [toolUse('look_up', { q: 1 })] }, { content: [text('It is blue.')] }]

  test('answer a conversation with its turn of a list, however often it is asked', async () => {
    const { url, requests } = await start({ script })
    const first = await (await ask(url, [user('go')])).json()
    expect(first.stop_reason).toBe('tool_use')
    const history = [
      user('go'),
      assistant(first.content),
      user([{ type: 'tool_result', tool_use_id: first.content[0].id }]),
    ]
    expect(await answerText(url, history)).toBe('It is blue.')
    expect(await answerText(url, history)).toBe('It is blue.')
    expect(requests.map(({ turn, attempt, status }) => ({ turn, attempt, status }))).toEqual([
      { turn: 1, attempt: 1, status: 200 },
      { turn: 2, attempt: 1, status: 200 },
      { turn: 2, attempt: 2, status: 200 },
    ])
  })

  test('refuse a conversation beyond the list, with a reason and without a retry', async () => {
    const { url } = await start({ script: [{ content: [text('one')] }] })
    const response = await ask(url, [user('a'), assistant('one'), user('b')])
    expect(response.status).toBe(400)
    expect(response.headers.get('x-should-retry')).toBe('false')
    expect((await response.json()).error.message).toMatch(
      /this conversation asks for turn 2, and the script has only 1/,
    )
  })

  test('answer with the rest of a turn, wherever and however often its text was cut', async () => {
    const whole = 'The sky is blue because of scattering.'
    const { url } = await start({ script: [{ content: [text(whole)] }, { content: [text('Next.')] }] })
    for (let cut = 1; cut < whole.length; cut++) {
      if (whole.slice(0, cut).trim() === '') continue
      const partial = [user('go'), assistant(whole.slice(0, cut)), user('Please continue exactly where you left off.')]
      expect(await answerText(url, partial)).toBe(whole.slice(cut))
      const again = whole.slice(cut, cut + 4)
      if (again.length < 4 || again.trim() === '') continue
      const twice = [...partial, assistant(again), user('continue')]
      expect(await answerText(url, twice)).toBe(whole.slice(cut + 4))
    }
    expect(await answerText(url, [user('go'), assistant('The sky'), user('Something else!')])).toBe('Next.')
  })

  test('may be a function of the conversation', async () => {
    const { url } = await start({
      script: (conversation) => ({
        content: [
          text(
            JSON.stringify({
              turn: conversation.turn,
              system: conversation.system,
              tools: conversation.tools.map((tool) => tool.name),
              results: conversation.resultsOf('look_up').map((result) => [result.id, result.text, result.isError]),
              said: conversation.lastUserText,
            }),
          ),
        ],
      }),
    })
    const said = await answerText(
      url,
      [
        user('hi'),
        assistant([{ type: 'tool_use', id: 'a', name: 'look_up', input: {} }]),
        user([{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: '42' }], is_error: true }]),
      ],
      { system: 'be kind', tools: [{ name: 'look_up', input_schema: { type: 'object' } }] },
    )
    expect(JSON.parse(said)).toEqual({
      turn: 2,
      system: 'be kind',
      tools: ['look_up'],
      results: [['a', '42', true]],
      said: 'hi',
    })
  })

  test('answer with a 400 that names the problem if a function throws or returns no turn', async () => {
    const server = await start({
      script: () => {
        throw new Error('my bug')
      },
    })
    const response = await ask(server.url, [user('go')])
    expect([response.status, (await response.json()).error.message]).toEqual([400, 'The script failed: Error: my bug'])
    expect(server.requests[0]?.error).toMatch(/my bug/)
    expect(() =>
      server.setScript([
        {
          content: [
            { type: 'text', text: 'x' },
            { type: 'text', text: '' },
          ],
        },
      ]),
    ).not.toThrow()
  })

  test('startClaude refuses wrong options with their path', async () => {
    const broken: unknown = JSON.parse('[{"content":[{"type":"text"}]}]')
    const isScript = (value: unknown): value is [] => Array.isArray(value)
    if (!isScript(broken)) throw new Error('unreachable')
    await expect(startClaude({ script: broken })).rejects.toMatchObject({
      code: 'invalid_option',
      path: 'script[0].content[0].text',
    })
    const misspelt: unknown = Reflect.apply(startClaude, undefined, [{ script: [], fault: [] }])
    await expect(misspelt).rejects.toThrow('unknown option "fault"; expected one of script, faults, pace')
    await expect(startClaude({ script: [], port: -1 })).rejects.toMatchObject({ code: 'invalid_option', path: 'port' })
    const { port } = await start({ script: [] })
    await expect(startClaude({ script: [], port })).rejects.toMatchObject({ code: 'listen_failed' })
  })
})

describe('the server, as the API', () => {
  test('refuses a request without a key, of another path, without JSON, that is invalid or too large', async () => {
    const { url, requests } = await start({ script: [] })
    const post = async (path: string, body: string, headers: Record<string, string>) => {
      const response = await fetch(url + path, { method: 'POST', body, headers })
      const { type, error, request_id: id } = await response.json()
      expect(id).toBe(response.headers.get('request-id'))
      return [response.status, type, error.type]
    }
    const key = { 'x-api-key': 'k' }
    expect(await post('/v1/messages', '{}', {})).toEqual([401, 'error', 'authentication_error'])
    expect(await post('/v1/nothing', '{}', key)).toEqual([404, 'error', 'not_found_error'])
    expect(await post('/v1/messages', '{', key)).toEqual([400, 'error', 'invalid_request_error'])
    expect(await post('/v1/messages', '{}', key)).toEqual([400, 'error', 'invalid_request_error'])
    const large = JSON.stringify({ model: 'x'.repeat(32 * 1024 * 1024) })
    expect(await post('/v1/messages', large, key)).toEqual([413, 'error', 'request_too_large'])
    expect(requests.map((record) => record.turn)).toEqual([0, 0, 0, 0, 0])
    expect(requests[1]?.headers['x-api-key']).toBe('[redacted]')
  })

  test('signs thinking, takes it back, and refuses it if it was altered', async () => {
    const { url } = await start({
      script: [
        {
          content: [
            thinking('hm'),
            { type: 'redacted_thinking' },
            { type: 'thinking', thinking: 'own', signature: 'recorded' },
            text('x'),
          ],
        },
        { content: [text('y')] },
      ],
    })
    const { content } = await (await ask(url, [user('go')])).json()
    expect((await ask(url, [user('go'), assistant(content), user('and?')])).status).toBe(200)
    const altered = JSON.parse(JSON.stringify(content).replace('"recorded"', '"forged"'))
    expect((await ask(url, [user('go'), assistant(altered), user('and?')])).status).toBe(400)
  })

  test('accepts a paused turn as the last message, and no other', async () => {
    const search = { type: 'server_tool_use', name: 'web_search', input: { q: 'x' } }
    const { url } = await start({
      script: [{ content: [search], stopReason: 'pause_turn' }, { content: [text('done')] }],
    })
    const { content } = await (await ask(url, [user('go')])).json()
    expect(await answerText(url, [user('go'), assistant(content)])).toBe('done')
    const other = await ask(url, [user('go'), assistant([{ ...content[0], id: 'srvtoolu_other' }])])
    expect(other.status).toBe(400)
    expect((await other.json()).error.message).toMatch(/prefill/)
  })

  test('accepts anything without validation', async () => {
    const { url } = await start({ script: () => ({ content: [text('fine')] }), validate: false })
    expect((await ask(url, [assistant('x')])).status).toBe(200)
  })
})

describe('time and load', () => {
  test('keeps the pace by the given clock, for a body as for its stream', async () => {
    for (const stream of [true, false]) {
      const clock = manualClock()
      const { url } = await start({ script: [{ content: [text('one two three')] }], pace: { eventDelay: 100 }, clock })
      const response = ask(url, [user('go')], { stream }).then((it) => it.text())
      const state = { done: false, ms: 0 }
      void response.finally(() => (state.done = true))
      while (!state.done) {
        if (clock.pending > 0) {
          clock.advance(100)
          state.ms += 100
        }
        await macrotask()
      }
      // message_start, ping, block start, three words, block stop, message_delta, message_stop
      expect(state.ms).toBe(900)
      await claude?.close()
    }
  })

  test('counts a token for four characters', async () => {
    const clock = manualClock()
    const { url } = await start({
      script: [{ content: [text('x'.repeat(400))], chunking: 'whole' }],
      pace: { tokensPerSecond: 10 },
      clock,
    })
    const response = ask(url, [user('go')], { stream: true }).then((it) => it.text())
    await clock.timer()
    clock.advance(9_999)
    expect(clock.pending).toBe(1)
    clock.advance(1)
    expect(accumulate(parseFrames(await response))).toMatchObject({ content: [{ text: 'x'.repeat(400) }] })
  })

  test('waits for a client that does not read, and never holds 100 MB', async () => {
    const bytes = 100 * 1024 * 1024
    const server = await start({ script: [{ content: [text(largeText({ bytes }))], chunking: 'whole' }] })
    const body = JSON.stringify({ model: 'm', max_tokens: 1, stream: true, messages: [user('go')] })
    const socket = connect(server.port, '127.0.0.1')
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    // The system's own buffers fill first; then nothing moves while nobody reads.
    let bytesSent = -1
    while (bytesSent !== server.stats.bytesSent || server.stats.blocked === 0) {
      bytesSent = server.stats.bytesSent
      for (let turn = 0; turn < 200; turn++) await macrotask()
    }
    expect(bytesSent).toBeGreaterThan(0)
    expect(bytesSent).toBeLessThan(bytes / 4)
    let received = 0
    socket.on('data', (chunk) => (received += chunk.length))
    await server.waitFor((record) => record.endedAt !== undefined)
    expect(server.stats.bytesSent).toBeGreaterThan(bytes)
    expect(server.stats.blocked).toBe(0)
    expect(server.requests[0]?.closedBy).toBe('server')
    while (received < server.stats.bytesSent) await macrotask()
    socket.destroy()
  })

  test('sends a large answer as one body', async () => {
    const { url } = await start({ script: [{ content: [text(largeText({ bytes: 200_001 }))] }] })
    const whole = await answerText(url, [user('go')])
    const streamed = await (await ask(url, [user('go')], { stream: true })).text()
    expect(whole).toHaveLength(200_001)
    expect(accumulate(parseFrames(streamed))).toMatchObject({ content: [{ text: whole }] })
  })
})

describe('counting', () => {
  test('sees a client leave, and closes without a socket left', async () => {
    const server = await start({ script: [{ content: [text(largeText({ bytes: 50_000_000 }))] }] })
    const leave = new AbortController()
    const arrived = server.nextRequest()
    const response = ask(server.url, [user('go')], { stream: true }, { signal: leave.signal })
    expect((await arrived).index).toBe(0)
    await response
    leave.abort()
    const ended = await server.waitFor((record) => record.endedAt !== undefined)
    expect(ended.closedBy).toBe('client')
    expect(ended.status).toBe(200)
    await server.close()
    await expect(server.waitFor(() => false)).rejects.toMatchObject({ code: 'server_closed' })
    expect([server.openSockets, server.stats.openRequests]).toEqual([0, 0])
  })

  test('ends a wait on its signal, and when the server closes', async () => {
    const server = await start({ script: [] })
    const giveUp = new AbortController()
    const first = server.waitFor(() => false, giveUp.signal)
    const second = server.nextRequest()
    giveUp.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    const closed = server.close()
    await expect(second).rejects.toMatchObject({ code: 'server_closed' })
    await closed
    await server.close()
  })

  test('cutAt cuts at exactly the event, on the given turn and attempt', async () => {
    const server = await start({ script: [{ content: [text('one two three')], chunking: 'words' }] })
    const read = async (messages: unknown[]): Promise<{ text: string; whole: boolean }> => {
      const chunks: Buffer[] = []
      const response = await ask(server.url, messages, { stream: true })
      try {
        for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk))
        return { text: Buffer.concat(chunks).toString(), whole: true }
      } catch {
        return { text: Buffer.concat(chunks).toString(), whole: false }
      }
    }
    const { length } = parseFrames((await read([user('go')])).text)
    for (let event = 0; event < length; event++) {
      const messages = [user(`go ${event}`)]
      server.cutAt({ event, turn: 1, attempt: 2 })
      const attempts = [await read(messages), await read(messages), await read(messages)]
      expect(attempts.map((attempt) => attempt.whole)).toEqual([true, false, true])
      expect(attempts.map((attempt) => parseFrames(attempt.text).length)).toEqual([length, event, length])
      const record = await server.waitFor((it) => it.index === 3 * event + 2 && it.endedAt !== undefined)
      expect([record.closedBy, record.faults]).toEqual(['server', [`destroy@event:${event}`]])
      server.setFaults([])
    }
  })
})
