import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@millrace/config/postgres-server'
import { startRedis } from '@millrace/config/redis-server'
import { type AgentEvent, createAgent, type RunStore } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import { postgresStores } from '@millrace/store-postgres'
import { redisStores } from '@millrace/store-redis'
import { sqliteStores } from '@millrace/store-sqlite'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { cannedModel } from './canned-model.ts'
import { median } from './compare.ts'

// What each durable store costs beside memory, with servers of its own on 127.0.0.1.

interface Opened {
  readonly runs: RunStore
  readonly close: () => Promise<void>
}

const openers: Readonly<Record<string, () => Promise<Opened>>> = {
  memory: async () => ({ runs: memoryRunStore(), close: async () => {} }),
  async 'store-sqlite'() {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'))
    const { runs, close } = sqliteStores({ path: join(folder, 'millrace.db') })
    return { runs, close: () => close().then(() => rmSync(folder, { recursive: true })) }
  },
  async 'store-redis'() {
    const server = await startRedis()
    const client = new Redis({ host: '127.0.0.1', port: server.port })
    const { runs, close } = redisStores({ client })
    return {
      runs,
      close: () =>
        close()
          .then(() => client.disconnect(), undefined)
          .then(() => server.close()),
    }
  },
  async 'store-postgres'() {
    const server = await startPostgres()
    const pool = new Pool({ connectionString: server.url })
    const { runs, close } = postgresStores({ pool })
    return {
      runs,
      close: () =>
        close()
          .then(() => pool.end())
          .then(() => server.close()),
    }
  },
}

function deltas(runId: string, from: number, count: number): AgentEvent[] {
  const common = { type: 'text.delta', runId, at: Date.now(), turn: 1, attempt: 1, block: 0 } as const
  return Array.from({ length: count }, (_, index) => ({ ...common, seq: from + index, text: 'a few more words ' }))
}

/** Appends of five deltas a second, by `writers` runs at once. */
async function appendsPerSecond(runs: RunStore, writers: number): Promise<number> {
  const each = Math.ceil(4_000 / writers)
  const ids = Array.from({ length: writers }, (_, index) => `writer-${writers}-${index}`)
  for (const runId of ids) await runs.create({ runId, messages: [], createdAt: Date.now() }, 600_000)
  const start = performance.now()
  await Promise.all(
    ids.map(async (runId) => {
      for (let done = 0; done < each; done++) await runs.append(runId, 1, deltas(runId, done * 5 + 1, 5))
    }),
  )
  return (each * writers * 1_000) / (performance.now() - start)
}

/** Milliseconds from the start of a run to its first text, the median of many. */
async function firstText(runs: RunStore): Promise<number> {
  const client = cannedModel(10)
  const agent = createAgent({ client, request: { model: 'canned', max_tokens: 1000 }, journal: runJournal(runs) })
  const times: number[] = []
  for (let round = 0; round < 200; round++) {
    const start = performance.now()
    const run = agent.run({ messages: [{ role: 'user', content: 'Hello' }] })
    let first: number | undefined
    for await (const event of run) if (event.type === 'text.delta') first ??= performance.now() - start
    times.push(first ?? Number.NaN)
  }
  return median(times)
}

/** Kilobytes of this process for each open run, of 100 deltas, that an owner waits to see cancelled. */
async function kilobytesPerRun(runs: RunStore): Promise<number> {
  const count = 1_000
  const over = new AbortController()
  const before = heap()
  for (let index = 0; index < count; index++) {
    const runId = `open-${index}`
    await runs.create({ runId, messages: [], createdAt: Date.now() }, 600_000)
    await runs.append(runId, 1, deltas(runId, 1, 100))
    runs.cancelled?.(runId, over.signal).catch(() => {})
  }
  const used = (heap() - before) / count / 1_024
  over.abort()
  return used
}

function heap(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

console.log('store           appends/s, 1 run   100 runs   first text (ms)   kB per open run')
for (const [name, open] of Object.entries(openers)) {
  const { runs, close } = await open()
  await appendsPerSecond(runs, 10)
  const row = [await appendsPerSecond(runs, 1), await appendsPerSecond(runs, 100)].map((rate) =>
    String(Math.round(rate)),
  )
  const [one = '', many = ''] = row
  const [text, memory] = [(await firstText(runs)).toFixed(2), (await kilobytesPerRun(runs)).toFixed(1)]
  console.log(`${name.padEnd(14)}${one.padStart(20)}${many.padStart(11)}${text.padStart(18)}${memory.padStart(18)}`)
  await close()
}
