// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { type Clock, createAgent, defineTool, type LocalAgent, type RunStore, systemClock } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import { startClaude, text, toolUse } from '@millrace/testing'
import { z } from 'zod'

const claude = await startClaude({
  script: [{ content: [toolUse('charge_card', { cents: 1200 })] }, { content: [text('It is paid.')] }],
})
let skipped = 0
const store = memoryRunStore({ clock: { ...systemClock, now: () => Date.now() + skipped } })
const charges: string[] = []
let died = (): void => {}
const death = new Promise<void>((resolve) => (died = resolve))

/** The agent of one process. The first dies when its payment has gone out and before it was answered. */
function agentOf(which: 'first' | 'second', clock: Clock): LocalAgent {
  return createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
    request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
    tools: [
      defineTool({
        name: 'charge_card',
        description: 'Charges the card.',
        inputSchema: z.object({ cents: z.number() }),
        run(_input, { idempotencyKey }) {
          charges.push(idempotencyKey)
          if (which === 'second') return 'charged'
          died()
          return new Promise<string>(() => {})
        },
        reconcile: (_input, { idempotencyKey }) =>
          charges.includes(idempotencyKey) ? { happened: true, result: 'charged' } : { happened: false },
      }),
    ],
    journal: runJournal(store),
    runtime: { clock },
  })
}

// A process that is dead renews no lease.
const stopped: Clock = { now: () => Date.now(), setTimer: () => () => {} }
agentOf('first', stopped).run({ messages: [{ role: 'user', content: 'Charge 12.00' }] })
await death
skipped = 30_000

const agent = agentOf('second', systemClock)
const answers: string[] = []

// #region take-over
async function takeOverAbandoned(store: RunStore, agent: LocalAgent): Promise<void> {
  for (const runId of await store.abandoned(10)) {
    const taken = await agent.resume(runId)
    // Another instance may have been faster: `held`, `closed`.
    if (taken.status !== 'resumed') continue
    const { outcome, text } = await taken.run.result
    answers.push(`${outcome}: ${text}`)
  }
}
// #endregion take-over

await takeOverAbandoned(store, agent)
assert.deepEqual(answers, ['completed: It is paid.'])
assert.equal(charges.length, 1)
await claude.close()
