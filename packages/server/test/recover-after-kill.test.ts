import { systemClock } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { startClaude, text, toolUse } from '@millrace/testing'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler } from '../src/index.ts'
import { paymentAgent } from './support/payments.ts'
import { type RemoteStores, serveStores } from './support/remote-stores.ts'
import { readEvents, textOf } from './support/served.ts'

const service = fileURLToPath(new URL('support/doomed-service.ts', import.meta.url))
const isPresent = (value: string | undefined): value is string => value !== undefined

/** Starts the service, and kills it when its client has been shown event `seq`, or it has charged. */
async function killedAt(seq: number | 'charge', url: string, stores: RemoteStores, charges: string[]) {
  // It must not find the pipes of the test runner.
  const child = fork(service, [url], {
    execArgv: ['--conditions=millrace-source'],
    stdio: ['ignore', 'ignore', 2, 'ipc'],
  })
  const exited = once(child, 'exit')
  const served = serveStores(child, stores)
  let runId: string | undefined
  child.on('message', (message: Readonly<Record<'runId' | 'charged', string | undefined> & { seen?: number }>) => {
    if (child.killed) return
    runId ??= message.runId
    if (isPresent(message.charged)) charges.push(message.charged)
    if (message.seen !== seq && !(seq === 'charge' && isPresent(message.charged))) return
    // What it still has to say goes nowhere: it is dead from here on.
    served.stop()
    child.kill('SIGKILL')
  })
  const [, signal] = await exited
  expect(signal).toBe('SIGKILL')
  return runId ?? ''
}

test.each(['charge', 1, 4, 6, 8, 10, 12, 14] as const)(
  'a service that is killed at %s is carried on by another one, in the session too',
  async (seq) => {
    const claude = await startClaude({
      script: [
        { content: [text('I charge it.'), toolUse('charge_card', { cents: 1200 })] },
        { content: [text('Paid.')] },
      ],
      chunking: 'whole',
    })
    onTestFinished(() => claude.close())
    let skipped = 0
    const clock = { ...systemClock, now: () => systemClock.now() + skipped }
    const runs = memoryRunStore({ clock })
    const sessions = memorySessionStore({ clock })
    const charges: string[] = []
    const runId = await killedAt(seq, claude.url, { runs, sessions }, charges)

    const charge = async (key: string): Promise<void> => void charges.push(key)
    const agent = paymentAgent({ url: claude.url, runs, charge, hasCharged: (key) => charges.includes(key) })
    const handler = createHandler({ agent, runs, sessions, identify: () => 'alice' })
    expect(await handler.recover()).toEqual({ resumed: [] })
    // The lease has expired, and so has the claim on the session.
    skipped = 90_000
    expect(await handler.recover()).toEqual({ resumed: [runId] })
    const events = await readEvents(await handler.fetch(new Request(`http://millrace.test/runs/${runId}/events`)))
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
    expect(textOf(events)).toBe('I charge it.Paid.')
    expect(charges).toHaveLength(1)
    const session = await sessions.load('alice/chat')
    expect(session.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(session).not.toHaveProperty('activeRunId')
    expect(await handler.recover()).toEqual({ resumed: [] })
  },
)
