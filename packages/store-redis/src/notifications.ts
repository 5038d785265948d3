import type { Connection, Subscriber } from './client/connection.ts'

/** Which channels somebody here listens to, over one connection. A message says that something changed, and no more. */
export interface Notifications {
  /**
   * Calls `ring` whenever something was published on `channel`, and whenever messages may have been lost: once the
   * subscription stands, and again after each loss of the connection. Returns a function that stops it.
   */
  listen(channel: string, ring: () => void): () => void
  close(): void
}

interface Channel {
  readonly listeners: Set<() => void>
  isSubscribed: boolean
}

export function createNotifications(connection: Connection): Notifications {
  const channels = new Map<string, Channel>()
  let subscriber: Subscriber | undefined
  let isClosed = false

  /** The connection is opened when somebody first listens: a process that only writes needs none. */
  function open(): Subscriber {
    subscriber ??= connection.subscriber({ onMessage: ringAll, onReady })
    return subscriber
  }

  function ringAll(name: string): void {
    for (const ring of channels.get(name)?.listeners ?? []) ring()
  }

  function onReady(): void {
    for (const [name, channel] of channels) {
      if (channel.isSubscribed) ringAll(name)
      else void subscribe(name, channel)
    }
  }

  async function subscribe(name: string, channel: Channel): Promise<void> {
    channel.isSubscribed = true
    try {
      await open().subscribe(name)
      ringAll(name)
    } catch {
      // Until the connection is there again, whoever listens looks by itself, at intervals.
      channel.isSubscribed = false
    }
  }

  async function unsubscribe(name: string): Promise<void> {
    try {
      await subscriber?.unsubscribe(name)
    } catch {
      // The subscription has gone with its connection.
    }
  }

  return {
    listen(name, ring) {
      if (isClosed) return () => {}
      const channel = channels.get(name) ?? { listeners: new Set(), isSubscribed: false }
      channels.set(name, channel)
      // Of its own identity, since one function may listen twice.
      const own = (): void => ring()
      channel.listeners.add(own)
      if (!channel.isSubscribed) void subscribe(name, channel)
      return () => {
        if (!channel.listeners.delete(own) || channel.listeners.size > 0) return
        if (channels.get(name) === channel) channels.delete(name)
        if (!isClosed) void unsubscribe(name)
      }
    },
    close() {
      isClosed = true
      for (const name of channels.keys()) {
        ringAll(name)
        void unsubscribe(name)
      }
      channels.clear()
      subscriber?.close()
    },
  }
}
