import type { PostgresClient, PostgresPool } from './options.ts'

/** Milliseconds after which a connection that was lost is made again. */
const reconnectPause = 1_000

/** The largest payload of a notification is 8,000 bytes. */
const keysAtOnce = 300

export interface NotificationsOptions {
  readonly pool: PostgresPool
  readonly listenPool: PostgresPool | undefined
  /** The name of the channel. */
  readonly channel: string
  /** Tells this process from others: it needs no notification of what it wrote itself. */
  readonly instance: string
  /** Called for each key that another process has changed; without a key where notifications may have been lost. */
  readonly onNotified: (key?: string) => void
}

/** LISTEN and NOTIFY. A notification says that something changed, and no more; it may be lost. */
export interface Notifications {
  /** Tells the other processes. Keys that wait go up together: Postgres commits one notification at a time. */
  readonly send: (key: string) => void
  /** Begins to listen, where it does not yet. */
  readonly listen: () => void
  close(): Promise<void>
}

export function createNotifications(options: NotificationsOptions): Notifications {
  const { pool, listenPool, channel, instance, onNotified } = options
  const waiting = new Set<string>()
  let sending: Promise<void> | undefined
  let listening: Promise<PostgresClient | undefined> | undefined
  let reconnect: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  async function sendWaiting(): Promise<void> {
    while (waiting.size > 0) {
      const keys = [...waiting].slice(0, keysAtOnce)
      for (const key of keys) waiting.delete(key)
      try {
        await pool.query('SELECT pg_notify($1, $2)', [channel, [instance, ...keys].join(' ')])
      } catch {
        // Whoever waits looks by itself, at intervals.
      }
    }
    sending = undefined
  }

  function onNotification(message: unknown): void {
    const payload = typeof message === 'object' && message !== null && 'payload' in message ? message.payload : ''
    const [sender, ...keys] = String(payload).split(' ')
    if (sender !== instance) for (const key of keys) onNotified(key)
  }

  async function connect(from: PostgresPool): Promise<PostgresClient | undefined> {
    let client: PostgresClient | undefined
    try {
      client = await from.connect()
      client.on('notification', onNotification)
      client.on('error', lose)
      client.on('end', lose)
      await client.query(`LISTEN ${channel}`)
      // What was written before this stood was told to nobody here.
      onNotified()
      return client
    } catch {
      client?.release(true)
      lose()
      return undefined
    }
  }

  function lose(): void {
    if (isClosed || reconnect !== undefined || listenPool === undefined) return
    const lost = listening
    reconnect = setTimeout(() => {
      reconnect = undefined
      void lost?.then(release)
      listening = connect(listenPool)
    }, reconnectPause)
  }

  function release(client: PostgresClient | undefined): void {
    if (client === undefined) return
    client.removeListener('notification', onNotification)
    client.removeListener('end', lose)
    // Its listener of errors stays: a connection that dies later must not end the process.
    client.release(true)
  }

  return {
    send(key) {
      if (isClosed) return
      waiting.add(key)
      sending ??= sendWaiting()
    },
    listen() {
      if (isClosed || listenPool === undefined) return
      listening ??= connect(listenPool)
    },
    async close() {
      isClosed = true
      clearTimeout(reconnect)
      release(await listening)
      await sending
    },
  }
}
