import { requireProgram } from '@millrace/config/programs'
import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import { deltas, leaseMs, range, recordOf, serverFor, storesOn } from './opened.ts'

const redis = requireProgram('redis-server')
const retention = { eventsMs: 60_000, recordMs: 600_000, sessionMs: 6_000_000 }

redis.describe('retention', () => {
  async function setup() {
    const server = await serverFor()
    const stores = await storesOn(server, { retention })
    const ttl = async (key: string): Promise<number> => Number(await server.command('pttl', `millrace:${key}`))
    return { ...stores, server, ttl }
  }

  /** `ms`, less what has passed since: at least the patience of a test. */
  function about(ms: number) {
    return { min: ms - 120_000, max: ms }
  }

  function expectTtl(ttl: number, { min, max }: { readonly min: number; readonly max: number }): void {
    expect(ttl).toBeGreaterThan(Math.max(0, min))
    expect(ttl).toBeLessThanOrEqual(max)
  }

  it('keeps an open run, events included, for recordMs after its lease', async () => {
    const { runs, ttl } = await setup()
    await runs.create(recordOf('run'), leaseMs)
    await runs.append('run', 1, deltas('run', 1, 1))
    for (const key of ['{run:run}:record', '{run:run}:events']) expectTtl(await ttl(key), about(leaseMs + 600_000))
    await runs.renew('run', 1, leaseMs * 10)
    for (const key of ['{run:run}:record', '{run:run}:events']) expectTtl(await ttl(key), about(leaseMs * 10 + 600_000))
  })

  it('keeps the events of a closed run for eventsMs, and its record for recordMs', async () => {
    const { runs, ttl } = await setup()
    await runs.create(recordOf('run'), leaseMs)
    await runs.append('run', 1, deltas('run', 1, 1), { outcome: 'completed' })
    expectTtl(await ttl('{run:run}:events'), about(60_000))
    expectTtl(await ttl('{run:run}:record'), about(600_000))
  })

  it('keeps a conversation for sessionMs after its last commit', async () => {
    const { sessions, ttl } = await setup()
    await sessions.claim('session', 'run', leaseMs)
    await sessions.commit('session', 'run', 0, [])
    await sessions.release('session', 'run')
    expectTtl(await ttl('{session:session}:messages'), about(6_000_000))
  })

  it('leaves nothing behind of a conversation that was claimed and never written', async () => {
    const { sessions, server } = await setup()
    await sessions.claim('session', 'run', leaseMs)
    await sessions.release('session', 'run')
    expect(await server.command('dbsize')).toBe('0')
  })

  it('forgets which runs were open once they are looked for', async () => {
    const server = await serverFor()
    const clock = manualClock()
    const { runs } = await storesOn(server, { clock, timeoutMs: 1_000_000_000 })
    const indexed = async (): Promise<number> => Number(await server.command('zcard', 'millrace:{runs}:open'))
    await runs.create(recordOf('closed'), leaseMs)
    await runs.append('closed', 1, [], { outcome: 'completed' })
    await runs.create(recordOf('gone'), leaseMs)
    await server.command('del', 'millrace:{run:gone}:record')
    expect(await indexed()).toBe(2)
    clock.advance(leaseMs)
    expect(await runs.abandoned(10)).toEqual([])
    // One that is not there may be about to be stored.
    expect(await indexed()).toBe(1)
    clock.advance(300_000)
    expect(await runs.abandoned(10)).toEqual([])
    expect(await indexed()).toBe(0)
  })

  it('finds abandoned runs behind any number that were renewed', async () => {
    const server = await serverFor()
    const clock = manualClock()
    const { runs } = await storesOn(server, { clock, timeoutMs: 1_000_000_000 })
    const ids = range(1, 200).map((index) => `run-${index}`)
    for (const runId of ids) {
      await runs.create(recordOf(runId), leaseMs)
      clock.advance(1)
    }
    clock.advance(leaseMs - 250)
    await Promise.all(ids.slice(0, 150).map((runId) => runs.renew(runId, 1, leaseMs)))
    clock.advance(250)
    expect(await runs.abandoned(1)).toEqual(['run-151'])
    expect(await runs.abandoned(100)).toEqual(ids.slice(150))
  })
})
