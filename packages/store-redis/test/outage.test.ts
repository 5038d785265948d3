import { requireProgram } from '@millrace/config/programs'
import { isMillraceError } from '@millrace/core'
import { expect, it } from 'vitest'
import { redisStores } from '../src/index.ts'
import { clients } from './clients.ts'
import { changedClient, deltas, following, leaseMs, range, recordOf, serverFor, storesOn } from './opened.ts'

const redis = requireProgram('redis-server')

redis.describe('a Redis that goes away', () => {
  it.each(Object.keys(clients))('and comes back loses nothing and repeats nothing, by %s', async (library) => {
    const server = await serverFor()
    const owner = await storesOn(server, { library, timeoutMs: 60_000 })
    const other = await storesOn(server, { library, timeoutMs: 60_000 })
    await owner.runs.create(recordOf('run'), leaseMs)
    await owner.runs.append('run', 1, deltas('run', 1, 3))
    const reader = following(other, 'run')
    await reader.reached(3)

    await server.stop('SIGKILL')
    const appended = owner.runs.append('run', 1, deltas('run', 4, 6))
    const renewed = owner.runs.renew('run', 1, leaseMs)
    await server.start()

    expect(await appended).toEqual({ status: 'appended', tail: 6 })
    expect(await renewed).toEqual({ status: 'renewed' })
    await reader.reached(6)
    // The subscription stands again: what is published from here on arrives.
    await owner.runs.append('run', 1, deltas('run', 7, 7), { outcome: 'completed' })
    await reader.ended
    expect(reader.seqs).toEqual(range(1, 7))
  })

  it.each(Object.keys(clients))(
    'between two commands of one connection only is not noticed, by %s',
    async (library) => {
      const server = await serverFor()
      const owner = await storesOn(server, { library })
      const other = await storesOn(server, { library })
      await owner.runs.create(recordOf('run'), leaseMs)
      const reader = following(other, 'run')
      for (const seq of range(1, 40)) {
        const cut =
          seq % 8 === 0 ? server.command('client', 'kill', 'type', seq % 16 === 0 ? 'pubsub' : 'normal') : undefined
        expect(await owner.runs.append('run', 1, deltas('run', seq, seq))).toEqual({ status: 'appended', tail: seq })
        await cut
      }
      await owner.runs.append('run', 1, [], { outcome: 'completed' })
      await reader.ended
      expect(reader.seqs).toEqual(range(1, 40))
    },
  )

  it.each(Object.keys(clients))(
    'for longer than the time limit is a typed error, for each method, by %s',
    async (library) => {
      const server = await serverFor()
      const stores = await storesOn(server, { library, timeoutMs: 150 })
      await stores.runs.create(recordOf('run'), leaseMs)
      await server.stop()
      const { runs, sessions, state } = stores
      const calls = [
        runs.create(recordOf('other'), leaseMs),
        runs.acquire('run', leaseMs),
        runs.renew('run', 1, leaseMs),
        runs.append('run', 1, deltas('run', 1, 1)),
        runs.snapshot('run'),
        runs.cancel('run', 'user'),
        runs.abandoned(1),
        following(stores, 'run').ended,
        sessions.load('session'),
        sessions.claim('session', 'run', leaseMs),
        sessions.release('session', 'run'),
        sessions.commit('session', 'run', 0, []),
        sessions.delete('session'),
        state.get('key'),
        state.set('key', 1, 0),
        state.add('key', { n: 1 }),
        state.counters('key'),
        state.clearCounters('key'),
      ]
      const failures = await Promise.allSettled(calls)
      expect(failures.map(codeOf)).toEqual(calls.map(() => 'store_unavailable'))
    },
  )
})

redis.describe('an answer that is lost', () => {
  /** The server does what it is told, and its first answer to each script never arrives. */
  async function forgetfulStores(isForgotten: (args: readonly string[]) => boolean) {
    const server = await serverFor()
    const client = changedClient(server, (redis) => ({
      async call(command, args) {
        const answer = await redis.call(command, args)
        if (isForgotten(args)) throw new Error('Connection is closed.')
        return answer
      },
    }))
    const stores = redisStores({ client })
    return { stores, other: await storesOn(server) }
  }

  function first(): (args: readonly string[]) => boolean {
    const seen = new Set<string>()
    return ([script = '', , key = '']) => {
      const isFirst = !seen.has(script + key)
      seen.add(script + key)
      return isFirst
    }
  }

  it('is the same when the call is sent again, for a run', async () => {
    const { stores, other } = await forgetfulStores(first())
    const { runs } = stores
    expect(await runs.create(recordOf('run'), 0)).toEqual({ status: 'acquired', fence: 1, tail: 0 })
    expect(await runs.acquire('run', leaseMs)).toEqual({ status: 'acquired', fence: 2, tail: 0 })
    expect(await other.runs.acquire('run', leaseMs)).toMatchObject({ status: 'held' })
    expect(await runs.append('run', 2, deltas('run', 1, 2), { outcome: 'completed' })).toEqual({
      status: 'appended',
      tail: 2,
    })
    expect(await other.runs.append('run', 2, [], { outcome: 'completed' })).toEqual({ status: 'closed' })
    const reader = following(other, 'run')
    await reader.ended
    expect(reader.seqs).toEqual([1, 2])
  })

  it('is the same when the call is sent again, for a conversation and for state', async () => {
    const { stores, other } = await forgetfulStores(first())
    const { sessions, state } = stores
    await sessions.claim('session', 'run', leaseMs)
    expect(await sessions.commit('session', 'run', 0, [])).toEqual({ status: 'committed', version: 1 })
    expect(await other.sessions.commit('session', 'run', 0, [])).toEqual({ status: 'conflict', version: 1 })
    expect(await state.set('key', 'a', 0)).toEqual({ status: 'set', version: 1 })
    expect(await other.state.set('key', 'b', 0)).toEqual({ status: 'conflict', version: 1 })
    expect(await state.add('key', { n: 1 })).toEqual({ n: 1 })
    expect(await other.state.add('key', { n: 1 })).toEqual({ n: 2 })
  })

  it('to a create that ran out of time leaves no run behind', async () => {
    const server = await serverFor()
    let discarded = (): void => {}
    const wasDiscarded = new Promise<void>((resolve) => (discarded = resolve))
    let isStored = false
    const client = changedClient(server, (redis) => ({
      async call(command, args) {
        const answer = await redis.call(command, args)
        if (isStored) discarded()
        // The run is stored, and the answer does not come.
        if (!args.some((arg) => arg.startsWith('{"runId":"late"'))) return answer
        isStored = true
        return new Promise(() => {})
      },
    }))
    const { runs } = redisStores({ client, timeoutMs: 100 })
    await expect(runs.create(recordOf('late'), leaseMs)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(isStored).toBe(true)
    await wasDiscarded
    expect(await (await storesOn(server)).runs.snapshot('late')).toBeUndefined()
  })
})

redis.describe('a Redis that is full', () => {
  it('refuses what would grow, keeps what was confirmed, and lets runs be renewed, cancelled and read', async () => {
    const server = await serverFor(['--maxmemory-policy', 'noeviction'])
    const { runs, sessions, state } = await storesOn(server, { timeoutMs: 200 })
    await runs.create(recordOf('run'), leaseMs)
    await sessions.claim('session', 'run', leaseMs)
    await runs.append('run', 1, deltas('run', 1, 2))
    await server.command('config', 'set', 'maxmemory', '1')

    const refused = await Promise.allSettled([
      runs.append('run', 1, deltas('run', 3, 3)),
      runs.create(recordOf('another'), leaseMs),
      sessions.commit('session', 'run', 0, []),
      state.set('key', 1, 0),
      state.add('key', { n: 1 }),
    ])
    expect(refused.map(codeOf)).toEqual(refused.map(() => 'store_unavailable'))
    expect(refused[0]).toMatchObject({
      reason: { retryable: true, cause: { message: expect.stringContaining('OOM') } },
    })
    expect(await runs.renew('run', 1, leaseMs)).toEqual({ status: 'renewed' })
    expect(await runs.cancel('run', 'user')).toBe(true)
    expect(await runs.snapshot('run')).toMatchObject({ tail: 2, cancelled: 'user', first: 1 })
    await sessions.release('session', 'run')

    await server.command('config', 'set', 'maxmemory', '0')
    expect(await runs.append('run', 1, deltas('run', 3, 3), { outcome: 'interrupted' })).toMatchObject({ tail: 3 })
    expect(await runs.snapshot('another')).toBeUndefined()
  })

  it('waits for room as long as its time limit', async () => {
    const server = await serverFor(['--maxmemory-policy', 'noeviction'])
    const refusals: string[] = []
    let noticed = (): void => {}
    const wasRefused = new Promise<void>((resolve) => (noticed = resolve))
    const client = changedClient(server, (redis) => ({
      async call(command, args) {
        try {
          return await redis.call(command, args)
        } catch (error) {
          refusals.push(String(error))
          if (String(error).includes('OOM')) noticed()
          throw error
        }
      },
    }))
    const { runs } = redisStores({ client, timeoutMs: 60_000 })
    await runs.create(recordOf('run'), leaseMs)
    await server.command('config', 'set', 'maxmemory', '1')
    const appended = runs.append('run', 1, deltas('run', 1, 1))
    await wasRefused
    await server.command('config', 'set', 'maxmemory', '0')
    expect(await appended).toEqual({ status: 'appended', tail: 1 })
  })

  it('that evicted the events of an open run is found out, and never goes on with a hole', async () => {
    const server = await serverFor()
    const stores = await storesOn(server)
    await stores.runs.create(recordOf('run'), leaseMs)
    await stores.runs.append('run', 1, deltas('run', 1, 3))
    await server.command('del', 'millrace:{run:run}:events')
    expect(await stores.runs.append('run', 1, deltas('run', 4, 4))).toEqual({ status: 'not_found' })
    await expect(following(stores, 'run').ended).rejects.toMatchObject({ code: 'events_missed' })
  })
})

redis.describe('an error of the server that will stay', () => {
  it('is thrown at once, with the cause and without its text', async () => {
    const server = await serverFor()
    const { runs } = await storesOn(server, { timeoutMs: 100_000 })
    await server.command('set', 'millrace:{run:run}:record', 'something else')
    await expect(runs.snapshot('run')).rejects.toMatchObject({
      code: 'store_unavailable',
      message: 'the store refused a command',
      cause: { message: expect.stringContaining('WRONGTYPE') },
    })
  })

  it('and a limit of ours are told apart by the path', async () => {
    const server = await serverFor()
    const { runs, sessions, state } = await storesOn(server, {
      limits: { runBytes: 500, sessionBytes: 10, valueBytes: 10 },
    })
    await runs.create(recordOf('run'), leaseMs)
    const long = 'long '.repeat(200)
    const at = (path: string) => ({ code: 'store_unavailable', path: `limits.${path}` })
    await expect(runs.append('run', 1, deltas('run', 1, 1, long))).rejects.toMatchObject(at('runBytes'))
    await expect(runs.create({ ...recordOf('b'), owner: long }, leaseMs)).rejects.toMatchObject(at('runBytes'))
    await expect(sessions.commit('s', 'run', 0, [{ role: 'user', content: long }])).rejects.toMatchObject(
      at('sessionBytes'),
    )
    await expect(state.set('key', long, 0)).rejects.toMatchObject(at('valueBytes'))
  })

  it('is a closed store, for what waits and for what comes', async () => {
    const server = await serverFor()
    const stores = await storesOn(server)
    await stores.runs.create(recordOf('run'), leaseMs)
    const reader = following(stores, 'run')
    await stores.runs.append('run', 1, deltas('run', 1, 1))
    await reader.reached(1)
    await stores.close()
    await expect(reader.ended).rejects.toMatchObject({ code: 'store_unavailable', message: 'the store was closed' })
    await expect(stores.runs.snapshot('run')).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

function codeOf(result: PromiseSettledResult<unknown>): string {
  if (result.status === 'fulfilled') return 'fulfilled'
  return isMillraceError(result.reason) ? result.reason.code : String(result.reason)
}
