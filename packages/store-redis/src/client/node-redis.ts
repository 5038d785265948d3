import type { Connection, SubscriberEvents } from './connection.ts'

interface PubSub {
  subscribe(channel: string, listener: (message: string, channel: string) => unknown): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
}

/** A client of node-redis: what `createClient` of `redis` or `@redis/client` returns. */
export interface NodeRedisClient extends PubSub {
  sendCommand(args: readonly string[]): Promise<unknown>
  duplicate(): NodeRedisClient
  connect(): Promise<unknown>
  destroy(): unknown
  on(event: string, listener: () => void): unknown
}

/** A cluster client of node-redis: what `createCluster` returns. */
export interface NodeRedisCluster extends PubSub {
  readonly masters: readonly unknown[]
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>
}

export function nodeRedisConnection(client: NodeRedisClient): Connection {
  return {
    send: (_key, command) => client.sendCommand(command),
    subscriber(events) {
      const subscriber = client.duplicate()
      // Without a listener, an error event would end the process. What the connection misses, polling finds.
      subscriber.on('error', () => {})
      subscriber.on('ready', events.onReady)
      subscriber.connect().catch(() => {})
      return { ...subscriptions(subscriber, events), close: () => void subscriber.destroy() }
    },
  }
}

/** A cluster client has a connection of its own for subscriptions, and moves it to another node when that one fails. */
export function nodeRedisClusterConnection(cluster: NodeRedisCluster): Connection {
  return {
    send: (key, command) => cluster.sendCommand(key, false, [...command]),
    subscriber: (events) => ({ ...subscriptions(cluster, events), close: () => {} }),
  }
}

function subscriptions(client: PubSub, { onMessage }: SubscriberEvents) {
  const listener = (_message: string, channel: string): void => onMessage(channel)
  return {
    subscribe: (channel: string) => client.subscribe(channel, listener),
    unsubscribe: (channel: string) => client.unsubscribe(channel),
  }
}
