import { createHash } from 'node:crypto'
import { guarded } from '@millrace/core/kit'

/** Says when to look again. */
export interface Changes {
  /** This process has changed what `key` names. */
  notify(key: string): void
  /** Calls `ring` whenever `key` may have changed. Returns a function that stops it. */
  listen(key: string, ring: () => void): () => void
  /** Rings for everybody. */
  close(): void
}

export interface ChangesOptions {
  readonly pollMs: number
  /** For each of the keys that exists, a text that differs whenever what it names has changed. */
  readonly poll: (keys: readonly string[]) => Promise<ReadonlyMap<string, string>>
  /** Tells other processes of a change. */
  readonly send: (hash: string) => void
  /** Called when somebody begins to listen. */
  readonly onListen: () => void
}

interface Watched {
  readonly hash: string
  readonly listeners: Set<() => void>
  /** What the last poll found; undefined before the first. */
  seen: string | undefined
}

/** Listeners of all keys share one poll, so that they cost one statement per process and interval. */
export function createChanges({ pollMs, poll, send, onListen }: ChangesOptions): Changes & {
  /** Another process has changed what this hash names; without one, anything may have changed. */
  readonly ringHash: (hash?: string) => void
} {
  const watched = new Map<string, Watched>()
  const byHash = new Map<string, Watched>()
  let timer: ReturnType<typeof setInterval> | undefined
  let isPolling = false

  function ring({ listeners }: Watched): void {
    for (const listener of listeners) listener()
  }

  function ringAll(): void {
    for (const entry of watched.values()) ring(entry)
  }

  async function look(): Promise<void> {
    if (isPolling) return
    isPolling = true
    try {
      const found = await poll([...watched.keys()])
      for (const [key, entry] of watched) {
        const now = found.get(key) ?? ''
        if (now === entry.seen) continue
        entry.seen = now
        ring(entry)
      }
    } catch {
      // Whoever waits looks by itself then, and meets the failure.
      ringAll()
    } finally {
      isPolling = false
    }
  }

  return {
    notify(key) {
      const entry = watched.get(key)
      if (entry) ring(entry)
      send(hashOf(key))
    },
    listen(key, listener) {
      const entry = watched.get(key) ?? { hash: hashOf(key), listeners: new Set(), seen: undefined }
      watched.set(key, entry)
      byHash.set(entry.hash, entry)
      // Of its own identity, since one function may listen twice.
      const own = (): void => listener()
      entry.listeners.add(own)
      timer ??= setInterval(() => void look(), pollMs)
      guarded(onListen, () => {})
      return () => {
        entry.listeners.delete(own)
        if (entry.listeners.size > 0 || watched.get(key) !== entry) return
        watched.delete(key)
        byHash.delete(entry.hash)
        if (watched.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
    ringHash(hash) {
      if (hash === undefined) return ringAll()
      const entry = byHash.get(hash)
      if (entry) ring(entry)
    },
    close: ringAll,
  }
}

/** Short and without spaces, whatever the key. */
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 22)
}
