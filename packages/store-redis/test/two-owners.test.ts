import { requireProgram } from '@millrace/config/programs'
import { startClaude, text, toolUse } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { expect, it, onTestFinished } from 'vitest'
import { deltas, serverFor, storesOn } from './opened.ts'
import { paymentAgent } from './payments.ts'

const redis = requireProgram('redis-server')

redis.describe('two owners of one run', () => {
  it('are one: the first is refused each write, stops its tool and ends as lease_lost', async () => {
    const server = await serverFor()
    const claude = await startClaude({
      script: [{ content: [toolUse('charge_card', { cents: 1200 })] }, { content: [text('Paid.')] }],
    })
    onTestFinished(() => claude.close())
    const clock = manualClock()
    // Its process is paused for longer than a lease: none of its timers fires.
    const paused = await storesOn(server, { clock, timeoutMs: 1_000_000_000 })
    const other = await storesOn(server, { clock, timeoutMs: 1_000_000_000 })
    let started = (): void => {}
    const isCharging = new Promise<void>((resolve) => (started = resolve))
    let stopped = false
    const charge = (_key: string, signal: AbortSignal): Promise<void> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true
          reject(new Error('stopped'))
        })
        started()
      })
    const owned = manualClock()
    const first = paymentAgent({ url: claude.url, runs: paused.runs, charge, runtime: { clock: owned } })
    const run = first.run({ messages: [{ role: 'user', content: 'Charge 12.00' }], runId: 'run', mode: 'stream' })
    await isCharging
    clock.advance(30_000)

    let charged = 0
    const second = paymentAgent({
      url: claude.url,
      runs: other.runs,
      charge: async () => void charged++,
      hasCharged: () => false,
    })
    expect(await other.runs.abandoned(10)).toEqual(['run'])
    const taken = await second.resume('run')
    if (taken.status !== 'resumed') throw new Error(taken.status)
    expect(await taken.run.result).toMatchObject({ outcome: 'completed', text: 'Paid.' })
    // What the first one still has to say is refused, and so is whoever uses its fence.
    expect(await paused.runs.append('run', 1, deltas('run', 1, 1))).toEqual({ status: 'closed' })
    owned.advance(10_000)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'lease_lost' } })
    expect({ stopped, charged }).toEqual({ stopped: true, charged: 1 })
    expect(await other.runs.snapshot('run')).toMatchObject({ closed: true, outcome: 'completed' })
  })
})
