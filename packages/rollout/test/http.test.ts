import { describe, expect, it } from 'vitest'
import { createRolloutHandler } from '../src/http/index.ts'
import { createWorld } from './instances.ts'

function serve(authorize: (request: Request, action: string) => unknown = () => true) {
  const { rollout } = createWorld().instance()
  const errors: string[] = []
  const hooks = { authorize: (): boolean => true }
  // A hook of the operator in JavaScript may return anything.
  Reflect.set(hooks, 'authorize', authorize)
  const handler = createRolloutHandler({
    rollout,
    ...hooks,
    actor: () => 'ada',
    onError: ({ message }) => void errors.push(message),
  })
  const ask = (path: string, init?: RequestInit) => handler(new Request(`http://app.test/rollout/${path}`, init))
  const post = (path: string, body: unknown = {}, type = 'application/json') =>
    ask(path, { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify(body) })
  return { ask, post, errors }
}

describe('reading', () => {
  it('gives the status with its plan, the history, and the evidence', async () => {
    const { ask, post } = serve()
    await post('start', { reason: 'ready' })
    const status = await (await ask('status')).json()
    expect(status).toMatchObject({
      plan: { name: 'short' },
      state: { status: 'running', stage: 0 },
      exposure: { percent: 5 },
      judgement: { hasPassed: false },
    })
    expect(await (await ask('history')).json()).toMatchObject({
      log: [{ action: 'started', actor: 'ada', reason: 'ready' }],
    })
    expect(await (await ask('evidence')).json()).toMatchObject({ epoch: 1, evidence: { streaming: { units: 0 } } })
  })

  it('answers 404 and 405 for what does not exist', async () => {
    const { ask, post } = serve()
    expect((await ask('nothing')).status).toBe(404)
    expect((await post('status')).status).toBe(405)
    expect((await ask('promote')).status).toBe(405)
  })
})

describe('acting', () => {
  it('holds, promotes, rolls back and resumes, and says who did it', async () => {
    const { ask, post } = serve()
    for (const action of ['start', 'hold', 'promote', 'rollback']) expect((await post(action)).status).toBe(200)
    const resumed = await post('resume', { stage: 'beta', reason: 'fixed', salt: 'second' })
    expect(await resumed.json()).toMatchObject({ state: { status: 'running', stage: 0, salt: 'second' } })
    expect(await (await ask('history')).json()).toMatchObject({
      log: [{}, {}, {}, {}, { action: 'resumed', actor: 'ada', reason: 'fixed', to: 'beta' }],
    })
  })

  it.each([
    ['resume', {}, 409, 'cannot resume a rollout that is draft'],
    ['start', [], 400, 'the body must be an object'],
    ['start', { reason: 5 }, 400, 'reason must be a string that is not empty'],
    ['start', { reason: 'x'.repeat(5000) }, 400, 'the body must be at most 4096 characters'],
  ])('answers %s with %j by a clear error', async (action, body, status, message) => {
    const response = await serve().post(action, body)
    expect(response.status).toBe(status)
    expect(JSON.stringify(await response.json())).toContain(message)
  })

  it('refuses a form, which any site can send', async () => {
    expect((await serve().post('start', {}, 'text/plain')).status).toBe(415)
  })
})

describe('authorization', () => {
  it.each([[undefined], [1], ['true'], [{}], [false], [Promise.resolve('yes')]])(
    'refuses everything where authorize gives %j',
    async (given) => {
      const { ask, post } = serve(() => given)
      expect((await ask('status')).status).toBe(403)
      expect((await post('promote')).status).toBe(403)
    },
  )

  it('refuses where authorize fails, and reports it', async () => {
    const { ask, errors } = serve(() => Promise.reject(new Error('down')))
    expect((await ask('status')).status).toBe(403)
    expect(errors).toEqual(['authorize failed, so the request was refused'])
  })

  it('is told what the request wants', async () => {
    const { ask, post } = serve((_request, action) => action === 'read')
    expect((await ask('status')).status).toBe(200)
    expect((await post('start')).status).toBe(403)
  })
})
