import { type SessionStore } from '@millrace/core'
import { memorySessionStore } from '@millrace/core/memory'
import { type ClaudeOptions, text } from '@millrace/testing'
import { expect, test } from 'vitest'
import { gate } from './support/gate.ts'
import { manualClock } from './support/manual-clock.ts'
import { problemOf, readEvents, serve, type ServeOptions, type Served } from './support/served.ts'

const alice = { 'x-user': 'alice' }
const bob = { 'x-user': 'bob' }
const identify = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined

/** A model that repeats what it was told so far. */
const parrot: ClaudeOptions['script'] = ({ messages }) => ({
  content: [text(`heard ${messages.filter(({ role }) => role === 'user').length}`)],
})

async function serveSessions(options: ServeOptions = {}): Promise<Served & { readonly sessions: SessionStore }> {
  const sessions = options.handler?.sessions ?? memorySessionStore()
  const { script = parrot } = options
  const served = await serve({ ...options, script, handler: { identify, ...options.handler, sessions } })
  return { ...served, sessions }
}

test('a session carries the conversation on, and belongs to its user', async () => {
  const { post, sessions } = await serveSessions()
  const say = async (input: string, user: Record<string, string>): Promise<string> => {
    const response = await post('/runs', { input, sessionId: 'chat' }, { ...user, accept: 'application/json' })
    const { text: said }: { text: string } = await response.json()
    return said
  }
  expect(await say('one', alice)).toBe('heard 1')
  expect(await say('two', alice)).toBe('heard 2')
  expect(await say('one', bob)).toBe('heard 1')
  expect(await sessions.load('alice/chat')).toMatchObject({
    version: 2,
    messages: [{ content: 'one' }, { role: 'assistant' }, { content: 'two' }, { role: 'assistant' }],
  })
  expect(await sessions.load('alice/chat')).not.toHaveProperty('activeRunId')
})

test('the option sessionId wins over the body, and its id is used as it is', async () => {
  const { post, sessions } = await serveSessions({ handler: { sessionId: () => 'from-cookie' } })
  await readEvents(await post('/runs', { input: 'one', sessionId: 'other' }))
  expect((await sessions.load('from-cookie')).messages).toHaveLength(2)
})

test('without a user a body cannot name a session, since anybody could', async () => {
  const { post, claude } = await serveSessions()
  expect(await problemOf(await post('/runs', { input: 'x', sessionId: 'chat' }))).toMatchObject({
    status: 400,
    path: 'sessionId',
  })
  expect(claude.requests).toHaveLength(0)
})

test('user and session ids cannot be put together to reach another session', async () => {
  const { post, sessions } = await serveSessions()
  await readEvents(await post('/runs', { input: 'x', sessionId: 'b/c' }, { 'x-user': 'a' }))
  await readEvents(await post('/runs', { input: 'x', sessionId: 'c' }, { 'x-user': 'a/b' }))
  expect((await sessions.load('a/b/c')).messages).toHaveLength(2)
  expect((await sessions.load('a%2Fb/c')).messages).toHaveLength(2)
})

test('a session has one run at a time', async () => {
  const hold = gate()
  const { post, handler } = await serveSessions({
    script: async () => {
      await hold.passed
      return { content: [text('done')] }
    },
  })
  const first = await post('/runs', { input: 'one', sessionId: 'chat' }, alice)
  const second = await post('/runs', { input: 'two', sessionId: 'chat' }, alice)
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await problemOf(second)).toMatchObject({ status: 409, code: 'session_busy' })
  expect(handler.openRuns).toBe(1)
  hold.open()
  await readEvents(first)
  const third = await readEvents(await post('/runs', { input: 'three', sessionId: 'chat' }, alice))
  expect(third.at(-1)).toMatchObject({ outcome: 'completed' })
})

test('who has seen the end of a run can start the next at once', async () => {
  const slow = memorySessionStore()
  const sessions: SessionStore = {
    ...slow,
    async commit(...args) {
      for (let turn = 0; turn < 50; turn++) await Promise.resolve()
      return slow.commit(...args)
    },
  }
  const { post, get } = await serveSessions({ handler: { sessions } })
  for (let turn = 1; turn <= 3; turn++) {
    const response = await post('/runs', { input: 'x', sessionId: 'chat' }, alice)
    const runId = response.headers.get('millrace-run-id')
    const follower = readEvents(await get(`/runs/${runId}/events`, alice))
    const events = await Promise.race([readEvents(response), follower])
    expect(events.at(-1)).toMatchObject({ outcome: 'completed' })
    expect((await sessions.load('alice/chat')).messages).toHaveLength(2 * turn)
  }
})

test('a run that added nothing leaves the conversation as it was', async () => {
  const { post, sessions } = await serveSessions({
    claude: { faults: [{ kind: 'status', status: 400 }] },
  })
  const events = await readEvents(await post('/runs', { input: 'one', sessionId: 'chat' }, alice))
  expect(events.at(-1)).toMatchObject({ outcome: 'failed' })
  expect(await sessions.load('alice/chat')).toMatchObject({ version: 0, messages: [] })
})

test('a session that was deleted meanwhile is reported, and the run ends as it would', async () => {
  const hold = gate()
  const { post, sessions, errors } = await serveSessions({
    script: async () => {
      await hold.passed
      return { content: [text('done')] }
    },
  })
  const response = await post('/runs', { input: 'one', sessionId: 'chat' }, alice)
  await sessions.delete('alice/chat')
  hold.open()
  expect((await readEvents(response)).at(-1)).toMatchObject({ outcome: 'completed' })
  expect(errors).toHaveLength(1)
  expect(String(errors[0])).toContain('alice/chat')
})

test('the claim on a session is renewed while its run lasts, and no timer is left after it', async () => {
  const clock = manualClock()
  const hold = gate()
  const { post, sessions } = await serveSessions({
    script: async () => {
      await hold.passed
      return { content: [text('done')] }
    },
    handler: { runtime: { clock }, sessions: memorySessionStore({ clock }), sessionClaim: 3_000 },
  })
  const response = await post('/runs', { input: 'one', sessionId: 'chat' }, { ...alice, accept: 'text/event-stream' })
  for (let second = 0; second < 10; second++) {
    clock.advance(1_000)
    await Promise.resolve()
  }
  expect(await sessions.load('alice/chat')).toHaveProperty('activeRunId')
  hold.open()
  await readEvents(response)
  expect(clock.pending()).toBe(0)
})

test('a request that comes twice at once does not take the session from the run that it has started', async () => {
  const hold = gate()
  const { post, sessions, errors } = await serveSessions({
    script: async () => {
      await hold.passed
      return { content: [text('done')] }
    },
  })
  const body = { input: 'one', sessionId: 'chat', runId: crypto.randomUUID() }
  const [first, second] = await Promise.all([post('/runs', body, alice), post('/runs', body, alice)])
  expect(second.status).toBe(503)
  expect(await sessions.load('alice/chat')).toMatchObject({ activeRunId: body.runId })
  hold.open()
  await readEvents(first)
  expect((await sessions.load('alice/chat')).messages).toHaveLength(2)
  expect(errors).toEqual([])
})

test('a store that fails is a 503, and nothing is run', async () => {
  const broken: SessionStore = {
    ...memorySessionStore(),
    claim: () => Promise.reject(new Error('redis://secret:6379 is gone')),
  }
  const { post, claude, handler } = await serveSessions({ handler: { sessions: broken } })
  const response = await post('/runs', { input: 'x', sessionId: 'chat' }, alice)
  expect(response.status).toBe(503)
  expect(await response.text()).not.toContain('redis')
  expect(claude.requests).toHaveLength(0)
  expect(handler.openRuns).toBe(0)
})

test('toInput has the last word', async () => {
  const { post, claude } = await serve({
    handler: {
      toInput: (input, { body, request }) => ({
        ...input,
        request: { system: `for ${request.headers.get('x-user')} in ${String(body.metadata?.['tenant'])}` },
      }),
    },
  })
  await readEvents(await post('/runs', { input: 'x', metadata: { tenant: 't1' } }, alice))
  expect(claude.requests[0]?.body?.['system']).toBe('for alice in t1')
})
