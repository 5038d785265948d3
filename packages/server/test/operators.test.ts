import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { text } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { describe, expect, test } from 'vitest'
import { problemOf, readEvents, serve } from './support/served.ts'

const identify = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined
const ada = { 'x-user': 'ada' }

function held() {
  const hold = deferred()
  const script = async () => {
    await hold.promise
    return { content: [text('done')] }
  }
  return { hold, script }
}

describe('GET /health', () => {
  test('says ready and counts, and 503 once the handler drains', async () => {
    const { hold, script } = held()
    const { handler, get, post } = await serve({
      script,
      handler: { authorize: () => false },
    })
    const ready = await get('/health')
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({
      status: 'ready',
      openRuns: 0,
      followers: 0,
      refused: { runs: 0, followers: 0, uploads: 0 },
    })
    expect((await post('/runs', { input: 'x' })).status).toBe(403)
    hold.resolve()
    await handler.drain(0)
    const draining = await get('/health')
    expect(draining.status).toBe(503)
    expect(await draining.json()).toMatchObject({ status: 'draining' })
  })

  test('counts runs that a limit refuses', async () => {
    const { hold, script } = held()
    const { get, post } = await serve({ script, handler: { limits: { runs: 1 } } })
    const first = await post('/runs', { input: 'x' })
    expect((await post('/runs', { input: 'x' })).status).toBe(429)
    expect(await (await get('/health')).json()).toMatchObject({ openRuns: 1, refused: { runs: 1 } })
    hold.resolve()
    await readEvents(first)
  })
})

describe('an operator', () => {
  const operator = (request: Request): boolean => request.headers.get('x-user') === 'root'

  test('lists the runs of all users, page by page', async () => {
    const { get, post } = await serve({ handler: { identify, operator } })
    for (const user of ['ada', 'eve']) await readEvents(await post('/runs', { input: 'x' }, { 'x-user': user }))
    const page: { runs: { owner: string }[]; next: string } = await (
      await get('/runs?limit=1', { 'x-user': 'root' })
    ).json()
    const rest = await (await get(`/runs?limit=5&before=${encodeURIComponent(page.next)}`, { 'x-user': 'root' })).json()
    expect(page.runs).toHaveLength(1)
    expect(rest.runs).toHaveLength(1)
    const owners = [...page.runs, ...rest.runs].map(({ owner }) => owner)
    expect(new Set(owners)).toEqual(new Set(['ada', 'eve']))
    const open = await (await get('/runs?closed=false', { 'x-user': 'root' })).json()
    expect(open).toEqual({ runs: [] })
    expect((await get('/runs?limit=0', { 'x-user': 'root' })).status).toBe(400)
  })

  test('cancels the run of a user; another user cannot', async () => {
    const { script } = held()
    const { post, claude } = await serve({ script, handler: { identify, operator } })
    const started = await post('/runs', { input: 'x' }, ada)
    await claude.nextRequest()
    const path = `/runs/${started.headers.get('millrace-run-id')}/cancel`
    expect((await post(path, {}, { 'x-user': 'eve' })).status).toBe(404)
    expect((await post(path, {}, { 'x-user': 'root' })).status).toBe(200)
    expect((await readEvents(started)).at(-1)).toMatchObject({ outcome: 'interrupted' })
  })

  test.each([
    ['nobody is one by default', {}, 403],
    ['false', { operator: () => false }, 403],
    ['a throw', { operator: () => Promise.reject(new Error('away')) }, 500],
  ])('is admitted by true alone (%s)', async (_, options, status) => {
    const { get } = await serve({ handler: options })
    expect((await get('/runs')).status).toBe(status)
  })
})

describe('GET /sessions/:id', () => {
  test('shows the conversation with the question of the run under way, to its user alone', async () => {
    const { hold, script } = held()
    const sessions = memorySessionStore()
    const { get, post, claude } = await serve({ script, handler: { identify, sessions } })
    const started = await post('/runs', { input: 'How are you?', sessionId: 'chat' }, ada)
    await claude.nextRequest()
    const shown = await (await get('/sessions/chat', ada)).json()
    expect(shown).toMatchObject({
      sessionId: 'chat',
      version: 0,
      messages: [{ role: 'user', content: 'How are you?' }],
      uiMessages: [{ id: 'chat-0', role: 'user', parts: [{ type: 'text', text: 'How are you?' }] }],
      activeRun: { runId: started.headers.get('millrace-run-id') },
    })
    hold.resolve()
    await readEvents(started)
    const after = await (await get('/sessions/chat', ada)).json()
    expect(after.uiMessages).toHaveLength(2)
    expect(after).not.toHaveProperty('activeRun')
    expect(await problemOf(await get('/sessions/chat', { 'x-user': 'eve' }))).toMatchObject({ code: 'not_found' })
    expect((await get('/sessions/chat?content=raw', ada)).status).toBe(403)
  })

  test('shows a call with its result as one part, and keeps signatures back', async () => {
    const { get, post } = await serve({ handler: { identify, sessions: memorySessionStore() } })
    await readEvents(await post('/runs', { input: 'Where is order 7?', sessionId: 'chat' }, ada))
    const shown = await (await get('/sessions/chat', ada)).json()
    expect(JSON.stringify(shown)).not.toContain('signature')
    expect(shown.uiMessages).toMatchObject([
      { role: 'user' },
      {
        role: 'assistant',
        parts: [
          { type: 'step-start' },
          { type: 'reasoning', text: 'I look it up.' },
          { type: 'text', text: 'One moment. ' },
          { type: 'tool-look_up', state: 'output-available', input: { id: 7 }, output: 'on its way' },
          { type: 'step-start' },
          { type: 'text' },
        ],
      },
    ])
  })
})

describe('a start while another run of its session is under way', () => {
  test('waits for it with `queue`', async () => {
    const { hold, script } = held()
    const { post, claude } = await serve({
      script,
      handler: { identify, sessions: memorySessionStore(), onBusy: 'queue' },
    })
    const first = await post('/runs', { input: 'one', sessionId: 'chat' }, ada)
    await claude.nextRequest()
    const second = post('/runs', { input: 'two', sessionId: 'chat' }, ada)
    hold.resolve()
    await readEvents(first)
    expect((await readEvents(await second)).at(-1)).toMatchObject({ outcome: 'completed' })
  })

  test('cancels it with `interrupt`', async () => {
    let asked = 0
    const { post, claude } = await serve({
      script: async () => {
        if (++asked === 1) await new Promise(() => {})
        return { content: [text('done')] }
      },
      runs: memoryRunStore(),
      handler: { identify, sessions: memorySessionStore(), onBusy: 'interrupt' },
    })
    const first = await post('/runs', { input: 'one', sessionId: 'chat' }, ada)
    await claude.nextRequest()
    const second = await post('/runs', { input: 'two', sessionId: 'chat' }, ada)
    expect((await readEvents(first)).at(-1)).toMatchObject({ outcome: 'interrupted' })
    expect((await readEvents(second)).at(-1)).toMatchObject({ outcome: 'completed' })
  })
})
