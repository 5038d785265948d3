import { requireProgram } from '@millrace/config/programs'
import { startRedis } from '@millrace/config/redis-server'
import type { AgentEvent, Clock } from '@millrace/core'
import { systemClock } from '@millrace/core'
import { createHandler } from '@millrace/server'
import { redisStores } from '@millrace/store-redis'
import { startClaude, text, toolUse, validateMessages } from '@millrace/testing'
import { Redis } from 'ioredis'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { paymentAgent } from './support/payment-agent.ts'

const redis = requireProgram('redis-server')
const service = fileURLToPath(new URL('support/doomed-redis-service.ts', import.meta.url))

async function claudeThatCharges(stall?: { readonly turn: number; readonly event: number }) {
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

redis.describe('a run whose owner', () => {
  /** Starts the service, and kills it when its client has been shown event `seq`, or while it charges. */
  async function killedAt(seq: number | 'charge', url: string, port: number, charges: string[]): Promise<string> {
    const child = fork(service, [url, String(port)], {
      execArgv: ['--conditions=millrace-source'],
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

  it.each([
    { at: 'its text', seq: 4, stall: { turn: 1, event: 4 } },
    { at: 'its tool input', seq: 6, stall: { turn: 1, event: 6 } },
    { at: 'its charge', seq: 'charge', stall: undefined },
    { at: 'its second turn', seq: 14, stall: { turn: 2, event: 4 } },
  ] as const)('is killed at $at is taken over by a handler elsewhere', async ({ seq, stall }) => {
    const claude = await claudeThatCharges(stall)
    const server = await startRedis()
    onTestFinished(() => server.close())
    const charges: string[] = []
    const runId = await killedAt(seq, claude.url, server.port, charges)

    let skipped = 0
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + skipped }
    const client = new Redis({ host: '127.0.0.1', port: server.port })
    onTestFinished(() => client.disconnect())
    const { runs, sessions, close } = redisStores({ client, clock })
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
  })
})
