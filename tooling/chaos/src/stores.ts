import { type PostgresServer, startPostgres } from '@millrace/config/postgres-server'
import { type RedisServer, startRedis } from '@millrace/config/redis-server'
import type { Clock, RunStore, SessionStore } from '@millrace/core'
import { postgresStores } from '@millrace/store-postgres'
import { redisStores } from '@millrace/store-redis'
import { sqliteStores } from '@millrace/store-sqlite'
import { Redis } from 'ioredis'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Pool } from 'pg'

export const storeNames = ['redis', 'postgres', 'sqlite'] as const
export type StoreName = (typeof storeNames)[number]

export interface OpenedStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
  close(): Promise<void>
}

/** Where the stores of all processes are, and what may go wrong there. */
export interface StorePlace {
  /** Passed to {@link openStores}, in each process. */
  readonly address: string
  /** Harm that a store must survive, by what it is called in the report. */
  readonly harms: Readonly<Record<string, () => Promise<void>>>
  close(): Promise<void>
}

export async function openStores(name: StoreName, address: string, clock: Clock): Promise<OpenedStores> {
  if (name === 'sqlite') return sqliteStores({ path: address, clock, synchronous: 'normal' })
  if (name === 'postgres') return openPostgres(address, clock)
  const client = new Redis({ host: '127.0.0.1', port: Number(address), retryStrategy: () => 20 })
  client.on('error', () => {})
  const stores = redisStores({ client, clock })
  return {
    ...stores,
    async close() {
      await stores.close()
      client.disconnect()
    },
  }
}

function openPostgres(address: string, clock: Clock): OpenedStores {
  const pool = new Pool({ connectionString: address })
  // A connection that breaks while it is idle is replaced.
  pool.on('error', () => {})
  const stores = postgresStores({ pool, clock })
  return {
    ...stores,
    async close() {
      await stores.close()
      await pool.end()
    },
  }
}

export async function startPlace(name: StoreName): Promise<StorePlace> {
  if (name === 'redis') return redisPlace(await startRedis())
  if (name === 'postgres') return postgresPlace(await startPostgres())
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'))
  return {
    address: join(folder, 'chaos.db'),
    harms: {},
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

function redisPlace(server: RedisServer): StorePlace {
  return {
    address: String(server.port),
    harms: {
      'connections cut': async () => void (await server.command('client', 'kill', 'type', 'normal')),
      'notifications cut': async () => void (await server.command('client', 'kill', 'type', 'pubsub')),
      async 'store restarted'() {
        await server.stop('SIGKILL')
        await server.start()
      },
    },
    close: () => server.close(),
  }
}

function postgresPlace(server: PostgresServer): StorePlace {
  return {
    address: server.url,
    harms: {
      async 'connections cut'() {
        const client = new Client({ connectionString: server.url })
        await client.connect()
        await client.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        await client.end()
      },
      async 'store restarted'() {
        await server.stop()
        await server.start()
      },
    },
    close: () => server.close(),
  }
}
