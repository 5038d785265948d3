import type { RedisCluster, RedisServer } from '@millrace/config/redis-server'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { RedisClient } from '../src/index.ts'

/** A client of one library, and how to end it. */
export interface OpenClient {
  readonly client: RedisClient
  end(): Promise<void>
}

/** What opens a client of each library to one server. */
export const clients: Readonly<Record<string, (server: RedisServer) => Promise<OpenClient>>> = {
  async ioredis({ port }) {
    const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20 })
    client.on('error', () => {})
    return { client, end: async () => client.disconnect() }
  },
  async 'node-redis'({ port }) {
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 20 } })
    client.on('error', () => {})
    await client.connect()
    return { client, end: async () => client.destroy() }
  },
}

/** The same for a Cluster. */
export const clusterClients: Readonly<Record<string, (cluster: RedisCluster) => Promise<OpenClient>>> = {
  async ioredis({ nodes }) {
    const client = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    client.on('error', () => {})
    return { client, end: async () => client.disconnect() }
  },
  async 'node-redis'({ nodes }) {
    const client = createCluster({ rootNodes: nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })) })
    client.on('error', () => {})
    await client.connect()
    return { client, end: async () => client.destroy() }
  },
}
