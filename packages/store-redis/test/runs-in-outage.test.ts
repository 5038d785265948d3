import { requireProgram } from '@millrace/config/programs'
import type { AgentRun } from '@millrace/core'
import { type ScriptedClaude, startClaude, text, toolUse } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { expect, it, onTestFinished } from 'vitest'
import { serverFor, storesOn } from './opened.ts'
import { paymentAgent } from './payments.ts'

const redis = requireProgram('redis-server')

redis.describe('a run whose Redis goes away before it speaks', () => {
  /** Redis stops before the run's first words: a client is shown them from memory. */
  async function interruptedRun(timeoutMs: number) {
    const server = await serverFor()
    const { runs } = await storesOn(server, { timeoutMs })
    const claude: ScriptedClaude = await startClaude({
      async script({ turn }) {
        if (turn === 2) return { content: [text('Paid.')] }
        await server.stop()
        return { content: [text('One two three four.'), toolUse('charge_card', { cents: 1200 })] }
      },
    })
    onTestFinished(() => claude.close())
    let charged = 0
    const agent = paymentAgent({ url: claude.url, runs, charge: async () => void charged++ })
    const run = agent.run({ messages: [{ role: 'user', content: 'Charge 12.00' }], runId: 'run', mode: 'stream' })
    const turn = deferred<string>()
    const watching = (async () => {
      let shown = ''
      for await (const event of run) {
        if (event.type === 'text.delta') shown += event.text
        if (event.type === 'turn.finished' && event.turn === 1) turn.resolve(shown)
      }
    })()
    return { server, run, runs, shown: turn.promise, watching, charges: () => charged }
  }

  async function endOf(run: AgentRun, watching: Promise<void>) {
    const [result] = await Promise.all([run.result, watching])
    return result
  }

  it('shows the whole turn, and ends before its tool with a typed error once the time limit is over', async () => {
    const { run, shown, watching, charges } = await interruptedRun(500)
    expect(await shown).toBe('One two three four.')
    expect(await endOf(run, watching)).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable' } })
    expect(charges()).toBe(0)
  })

  it('goes on where Redis is back in time, and has everything stored', async () => {
    const { server, run, runs, shown, watching, charges } = await interruptedRun(60_000)
    await shown
    expect(charges()).toBe(0)
    await server.start()
    expect(await endOf(run, watching)).toMatchObject({ outcome: 'completed', text: 'Paid.' })
    expect(charges()).toBe(1)
    expect(await runs.snapshot('run')).toMatchObject({ closed: true, outcome: 'completed' })
    const seqs: number[] = []
    for await (const batch of runs.read('run', 0)) seqs.push(...batch.map(({ seq }) => seq))
    expect(seqs).toEqual(seqs.map((_, index) => index + 1))
  })
})
