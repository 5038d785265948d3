import { isRecord } from '@millrace/core/kit'
import { refuse } from '@millrace/core/kit'
import type { Connection } from './connection.ts'

/** A client of `ioredis`: a `Redis` or a `Cluster`. */
export interface IoredisClient {
  readonly isCluster: boolean
  readonly options: object
  call(command: string, args: string[]): Promise<unknown>
  duplicate(): IoredisClient
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: string[]) => void): unknown
  off(event: string, listener: (...args: string[]) => void): unknown
  disconnect(): void
}

export function ioredisConnection(client: IoredisClient): Connection {
  refuseKeyPrefix(client.options)
  return {
    send: (_key, [name = '', ...args]) => client.call(name, args),
    subscriber({ onMessage, onReady }) {
      // A cluster client has a connection of its own for subscriptions; a single one would be blocked by them.
      const subscriber = client.isCluster ? client : client.duplicate()
      const ignore = (): void => {}
      const events = { message: onMessage, ready: onReady, '+subscriber': onReady, error: ignore }
      for (const [event, listener] of Object.entries(events)) subscriber.on(event, listener)
      return {
        subscribe: (channel) => subscriber.subscribe(channel),
        unsubscribe: (channel) => subscriber.unsubscribe(channel),
        close() {
          if (subscriber !== client) return subscriber.disconnect()
          for (const [event, listener] of Object.entries(events)) subscriber.off(event, listener)
        },
      }
    },
  }
}

/** It would be put before the channels that we subscribe to, and not before those that the scripts publish to. */
function refuseKeyPrefix(options: object): void {
  const { keyPrefix, redisOptions } = { keyPrefix: undefined, redisOptions: undefined, ...options }
  const nested: unknown = isRecord(redisOptions) ? redisOptions['keyPrefix'] : undefined
  if ([keyPrefix, nested].some((prefix) => prefix !== undefined && prefix !== null && prefix !== ''))
    refuse('client', 'must have no keyPrefix of its own; use the option prefix of the stores instead')
}
