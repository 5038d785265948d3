import { startPostgres, withPostgresPath } from '@millrace/config/postgres-server'
import { requireProgram } from '@millrace/config/programs'
import type { AgentEvent, Clock } from '@millrace/core'
import { systemClock } from '@millrace/core'
import { createHandler } from '@millrace/server'
import { type ScriptedClaude, startClaude, text, toolUse, validateMessages } from '@millrace/testing'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { durableStores } from './support/durable-stores.ts'
import { paymentAgent } from './support/payment-agent.ts'

const service = fileURLToPath(new URL('support/doomed-durable-service.ts', import.meta.url))
const postgres = requireProgram('postgres', { env: withPostgresPath(process.env) })

interface Stall {
  readonly turn: number
  readonly event: number
}

async function claudeThatCharges(stall: Stall | undefined): Promise<ScriptedClaude> {
  const claude = await startClaude({
    // The first answer to that turn stops there, so that its process does.
    faults: stall === undefined ? [] : [{ kind: 'stall', turn: stall.turn, at: { event: stall.event } }],
    script: [
      { content: [text('I charge it.'), toolUse('charge_card', { cents: 1200 })] },
      { content: [text('Paid.')] },
    ],
    chunking: 'whole',
  })
  onTestFinished(() => claude.close())
  return claude
}

/** Starts the service, and kills it when its client has been shown event `seq`, or while it charges. */
async function killedAt(seq: number | 'charge', url: string, place: string, charges: string[]): Promise<string> {
  const child = fork(service, [url, place], {
    execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 2, 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let runId = ''
  let seen = 0
  child.on('message', (message: { runId?: string; charged?: string; seen?: number }) => {
    runId = message.runId ?? runId
    seen = message.seen ?? seen
    if (message.charged !== undefined) {
      charges.push(message.charged)
      if (seq !== 'charge') child.send('charged')
    }
    if (runId !== '' && (seq === 'charge' ? charges.length > 0 : seen === seq)) child.kill('SIGKILL')
  })
  const [, signal] = await exited
  expect(signal).toBe('SIGKILL')
  return runId
}

async function expectTakeover(seq: number | 'charge', stall: Stall | undefined, place: string): Promise<void> {
  const claude = await claudeThatCharges(stall)
  const charges: string[] = []
  const runId = await killedAt(seq, claude.url, place, charges)

  let skipped = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + skipped }
  const { runs, sessions, close } = durableStores(place, clock)
  onTestFinished(close)
  const charge = async (key: string): Promise<void> => void charges.push(key)
  const agent = paymentAgent({ url: claude.url, runs, charge, hasCharged: (key) => charges.includes(key) })
  const handler = createHandler({ agent, runs, sessions, identify: () => 'alice' })
  expect(await handler.recover()).toEqual({ resumed: [] })
  // The lease has expired, and so has the claim on the session.
  skipped = 90_000
  expect(await handler.recover()).toEqual({ resumed: [runId] })
  const events: AgentEvent[] = []
  for await (const batch of runs.read(runId, 0)) events.push(...batch)
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
  expect(charges).toHaveLength(1)
  // The session is written when the run has ended.
  await handler.drain(60_000)
  const session = await sessions.load('alice/chat')
  expect(session.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
  expect(validateMessages([...session.messages, { role: 'user', content: 'Thanks.' }])).toBeUndefined()
  expect(session).not.toHaveProperty('activeRunId')
}

const deaths = [
  { at: 'its text', seq: 4, stall: { turn: 1, event: 4 } },
  { at: 'its tool input', seq: 6, stall: { turn: 1, event: 6 } },
  { at: 'its charge', seq: 'charge', stall: undefined },
  { at: 'its second turn', seq: 14, stall: { turn: 2, event: 4 } },
] as const

describe('a run in an SQLite file whose owner', () => {
  it.each(deaths)('is killed at $at is taken over by a handler elsewhere', async ({ seq, stall }) => {
    const folder = await mkdtemp(join(tmpdir(), 'takeover-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await expectTakeover(seq, stall, join(folder, 'millrace.db'))
  })
})

postgres.describe('a run in Postgres whose owner', () => {
  it.each(deaths)('is killed at $at is taken over by a handler elsewhere', async ({ seq, stall }) => {
    const server = await startPostgres()
    onTestFinished(() => server.close())
    await expectTakeover(seq, stall, server.url)
  })
})
