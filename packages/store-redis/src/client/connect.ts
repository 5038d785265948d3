import { hasMethod, refuse } from '@millrace/core/kit'
import type { Connection } from './connection.ts'
import { type IoredisClient, ioredisConnection } from './ioredis.ts'
import {
  type NodeRedisClient,
  type NodeRedisCluster,
  nodeRedisClusterConnection,
  nodeRedisConnection,
} from './node-redis.ts'

/** A client of `ioredis` or of node-redis, for one server or for a Cluster. */
export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster

/** @throws MillraceError `invalid_option` for anything else */
export function connectionOf(client: RedisClient): Connection {
  if (!hasMethod(client, 'subscribe')) return refuse('client', 'must be a client of ioredis or node-redis')
  if ('call' in client) return ioredisConnection(client)
  if ('masters' in client) return nodeRedisClusterConnection(client)
  return nodeRedisConnection(client)
}
