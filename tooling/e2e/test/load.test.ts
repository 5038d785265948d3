import { memoryRunStore } from '@millrace/core/memory'
import { largeText, text } from '@millrace/testing'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { adapters } from './support/adapters.ts'
import { question, serveAgent } from './support/agents.ts'

const networked = adapters.filter(({ isNetworked }) => isNetworked)
const offered = 100_000_000

/** Returns the bytes that are in use, after everything else was collected. */
function kept(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// The collector is made callable for this file alone.
setFlagsFromString('--expose-gc')
const collector: unknown = runInNewContext('gc')
setFlagsFromString('--no-expose-gc')

function collect(): void {
  if (typeof collector !== 'function') throw new TypeError('there is no collector to call')
  Reflect.apply(collector, undefined, [])
}

/** A client that sends its request and then reads nothing. */
async function deafClient(url: string, accept: string): Promise<Socket> {
  const { port, pathname } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.pause()
  await once(socket, 'connect')
  const body = JSON.stringify({ messages: [question] })
  const path = pathname === '/' ? '' : pathname
  socket.write(
    [
      `POST ${path}/runs HTTP/1.1`,
      'host: x',
      `accept: ${accept}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  )
  return socket
}

describe.each(networked)('$name', (adapter) => {
  test.each(['text/event-stream', 'application/x-ndjson'])(
    'a client that stops reading %s stops the model, and leaves nothing behind when it vanishes',
    async (accept) => {
      const { handler, claude, errors } = await serveAgent({
        script: [{ content: [text(largeText({ bytes: offered }))] }],
        claude: { chunking: { sizes: [8_192] } },
        handler: { onDisconnect: 'cancel', runs: memoryRunStore({ limits: { runChars: 2 * offered } }) },
      })
      const { url, connections } = await adapter.mount(handler)
      const before = kept()
      const socket = await deafClient(url, accept)
      const seen: number[] = []
      const isStill = (): boolean => {
        seen.push(claude.stats.bytesSent)
        return claude.stats.blocked > 0 && new Set(seen.slice(-5)).size === 1 && seen.length >= 5
      }
      await expect.poll(isStill, { interval: 200 }).toBe(true)
      // What was sent fills the kernel's buffers of two pairs of sockets, and 128 events of the run.
      expect(claude.stats.bytesSent).toBeLessThan(offered * 0.75)
      expect(kept() - before).toBeLessThan(offered * 0.6)
      expect(handler.openRuns).toBe(1)

      socket.destroy()
      await claude.waitFor(({ endedAt }) => endedAt !== undefined)
      await expect.poll(() => handler.openRuns).toBe(0)
      await expect.poll(connections).toBe(0)
      expect(claude.stats.openRequests).toBe(0)
      expect(errors).toEqual([])
    },
  )
})

function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('1,000 open runs, all cancelled: sockets and timers return to where they were', async () => {
  const { handler, claude, errors } = await serveAgent({
    claude: { pace: { eventDelay: 3_600_000 } },
    handler: { limits: { runs: 1_000, uploadsPerAddress: 1_000 } },
  })
  const adapter = adapters.find(({ name }) => name === 'node:http')
  if (!adapter) throw new TypeError('there is no node:http')
  const { url, connections } = await adapter.mount(handler)
  const before = resources()
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ messages: [question] })
  const responses = await Promise.all(
    Array.from({ length: 1_000 }, () => fetch(`${url}/runs`, { method: 'POST', headers, body })),
  )
  expect(responses.every(({ status }) => status === 200)).toBe(true)
  await expect.poll(() => claude.stats.openRequests).toBe(1_000)
  expect(handler.openRuns).toBe(1_000)
  const texts = responses.map((response) => response.text())
  const cancels = responses.map((response) =>
    fetch(`${url}/runs/${response.headers.get('millrace-run-id')}/cancel`, { method: 'POST' }),
  )
  for (const answer of await Promise.all(cancels)) expect(await answer.json()).toMatchObject({ cancelled: true })
  for (const whole of await Promise.all(texts)) expect(whole).toContain('"outcome":"interrupted"')
  expect(handler.openRuns).toBe(0)
  await expect.poll(() => claude.stats.openRequests).toBe(0)
  // The connections that fetch keeps for later go after a few seconds.
  await expect.poll(connections).toBe(0)
  // Node's fetch opens a spare connection for each that an abort has cost it, and keeps it for the next request: its pool,
  // not our leak, and gone with the server.
  await claude.refuseConnections()
  await expect
    .poll(() => Math.max(0, (resources()['TCPSocketWrap'] ?? 0) - (before['TCPSocketWrap'] ?? 0)))
    .toBeLessThanOrEqual(2)
  expect((resources()['Timeout'] ?? 0) - (before['Timeout'] ?? 0)).toBeLessThanOrEqual(2)
  expect(errors).toEqual([])
})
