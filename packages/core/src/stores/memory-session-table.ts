import { type Clock, systemClock } from '../kit/clock.ts'
import { storeFull } from './store-full.ts'

export interface MemorySessionStoreOptions {
  /** Default: the system's. */
  readonly clock?: Clock
  /** How long a conversation is kept after its last commit or claim, in milliseconds. Default: 24 hours. */
  readonly retentionMs?: number
  readonly limits?: {
    /** Beyond it the conversation that was unused longest and has no running claim is forgotten. Default: 10,000. */
    readonly sessions?: number
    /** Characters of all conversations' JSON; beyond it as above. Default: 268,435,456. */
    readonly chars?: number
  }
}

export interface StoredSession {
  readonly messagesJson: string
  readonly version: number
  readonly owner: string | undefined
  readonly usedAt: number
  readonly claim: { readonly runId: string; readonly expiresAt: number } | undefined
}

/** The conversations of a memory store, within its limits; what has expired is dropped when the table is next used. */
export interface MemorySessionTable {
  readonly clock: Clock
  find(sessionId: string): StoredSession | undefined
  all(): readonly (readonly [sessionId: string, session: StoredSession])[]
  isClaimed(session: StoredSession): boolean
  /** Stores it as the one that was used last. @throws MillraceError `store_unavailable` */
  keep(sessionId: string, session: StoredSession): void
  drop(sessionId: string): void
}

export function memorySessionTable(options: MemorySessionStoreOptions): MemorySessionTable {
  const { clock = systemClock, retentionMs = 86_400_000 } = options
  const { sessions: maxSessions = 10_000, chars: maxChars = 268_435_456 } = options.limits ?? {}
  // In the order of last use: the first one expires first.
  const stored = new Map<string, StoredSession>()
  let chars = 0

  function drop(sessionId: string): void {
    chars -= stored.get(sessionId)?.messagesJson.length ?? 0
    stored.delete(sessionId)
  }

  function isClaimed(session: StoredSession): boolean {
    return session.claim !== undefined && session.claim.expiresAt > clock.now()
  }

  function makeRoom(sessionId: string, sessions: number, moreChars: number): void {
    for (const [id, session] of stored) {
      if (stored.size + sessions <= maxSessions && chars + moreChars <= maxChars) return
      if (id !== sessionId && !isClaimed(session)) drop(id)
    }
    if (stored.size + sessions > maxSessions) throw storeFull('limits.sessions', maxSessions)
    if (chars + moreChars > maxChars) throw storeFull('limits.chars', maxChars)
  }

  function expire(): void {
    for (const [id, session] of stored) {
      if (session.usedAt + retentionMs > clock.now()) break
      drop(id)
    }
  }

  return {
    clock,
    isClaimed,
    drop,
    find(sessionId) {
      expire()
      return stored.get(sessionId)
    },
    all() {
      expire()
      return [...stored]
    },
    keep(sessionId, session) {
      const size = session.messagesJson.length
      // Before anything is forgotten for a conversation that could never fit.
      if (size > maxChars) throw storeFull('limits.chars', maxChars)
      const before = stored.get(sessionId)
      makeRoom(sessionId, before ? 0 : 1, size - (before?.messagesJson.length ?? 0))
      drop(sessionId)
      stored.set(sessionId, session)
      chars += size
    },
  }
}
