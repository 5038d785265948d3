import { type RedisServer, startRedis } from '@millrace/config/redis-server'
import type { AgentEvent, RunRecord } from '@millrace/core'
import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { type IoredisClient, type RedisStores, redisStores, type RedisStoresOptions } from '../src/index.ts'
import { clients } from './clients.ts'

/** A server for one test. */
export async function serverFor(options?: readonly string[]): Promise<RedisServer> {
  const server = await startRedis(options)
  onTestFinished(() => server.close())
  return server
}

export interface Opened extends RedisStores {
  end(): Promise<void>
}

/** Stores as a process has them, with a client of its own, until the test is over. */
export async function storesOn(
  server: RedisServer,
  options: Omit<RedisStoresOptions, 'client'> & { readonly library?: string } = {},
): Promise<Opened> {
  const { library = 'ioredis', ...rest } = options
  const opened = await clients[library]?.(server)
  if (opened === undefined) throw new Error(`no client is called "${library}"`)
  const stores = redisStores({ client: opened.client, ...rest })
  const end = async (): Promise<void> => {
    await stores.close()
    await opened.end()
  }
  onTestFinished(end)
  return { ...stores, end }
}

/** A client of ioredis in which some methods are replaced. */
export function changedClient(server: RedisServer, change: (client: Redis) => Partial<IoredisClient>): IoredisClient {
  const client = new Redis({ host: '127.0.0.1', port: server.port, retryStrategy: () => 20 })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return {
    isCluster: false,
    options: client.options,
    call: (command, args) => client.call(command, args),
    duplicate: () => client.duplicate(),
    subscribe: (channel) => client.subscribe(channel),
    unsubscribe: (channel) => client.unsubscribe(channel),
    on: (event, listener) => client.on(event, listener),
    off: (event, listener) => client.off(event, listener),
    disconnect: () => client.disconnect(),
    ...change(client),
  }
}

export const leaseMs = 30_000

export function recordOf(runId: string): RunRecord {
  return { runId, messages: [{ role: 'user', content: 'hello' }], createdAt: 1_780_000_000_000 }
}

/** Deltas `from` to `to` of one text block. */
export function deltas(runId: string, from: number, to: number, text = 'word '): AgentEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    type: 'text.delta',
    seq: from + index,
    runId,
    at: 1_780_000_000_000,
    turn: 1,
    attempt: 1,
    block: 0,
    text,
  }))
}

export interface Following {
  /** The `seq` of each event that was read. */
  readonly seqs: readonly number[]
  readonly ended: Promise<void>
  reached(seq: number): Promise<void>
}

/** Reads a run beside the test. */
export function following(stores: RedisStores, runId: string, signal?: AbortSignal): Following {
  const seqs: number[] = []
  const waiting = new Set<() => void>()
  const ended = (async () => {
    for await (const batch of stores.runs.read(runId, 0, signal)) {
      seqs.push(...batch.map(({ seq }) => seq))
      for (const wake of waiting) wake()
    }
  })()
  ended.catch(() => {})
  return {
    seqs,
    ended,
    async reached(seq: number): Promise<void> {
      while ((seqs.at(-1) ?? 0) < seq) {
        const more = new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake)
            resolve()
          }
          waiting.add(wake)
        })
        await Promise.race([more, ended.then(() => Promise.reject(new Error(`reading ended before ${seq}`)))])
      }
    },
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
