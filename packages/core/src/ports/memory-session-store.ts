import { MillraceError } from '../errors.ts'
import type { Message } from '../messages.ts'
import { type Clock, systemClock } from '../runtime.ts'
import type { Session, SessionStore } from './session-store.ts'

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

interface Stored {
  readonly json: string
  readonly version: number
  readonly usedAt: number
  readonly claim: { readonly runId: string; readonly expiresAt: number } | undefined
}

const empty = '[]'

/**
 * Conversations in this process's memory: gone with the process, and not seen by another. It keeps no timer: what has
 * expired is dropped by the next call. Where a limit leaves no conversation to forget, `claim` and `commit` reject with
 * `store_unavailable`.
 */
export function memorySessionStore(options: MemorySessionStoreOptions = {}): SessionStore {
  const { clock = systemClock, retentionMs = 86_400_000 } = options
  const { sessions: maxSessions = 10_000, chars: maxChars = 268_435_456 } = options.limits ?? {}
  // In the order of last use: the first one expires first.
  const stored = new Map<string, Stored>()
  let chars = 0

  function find(sessionId: string): Stored | undefined {
    for (const [id, session] of stored) {
      if (session.usedAt + retentionMs > clock.now()) break
      drop(id, session)
    }
    return stored.get(sessionId)
  }

  function drop(sessionId: string, session: Stored): void {
    stored.delete(sessionId)
    chars -= session.json.length
  }

  function keep(sessionId: string, session: Stored): void {
    const before = stored.get(sessionId)
    // Before anything is forgotten for a conversation that could never fit.
    if (session.json.length > maxChars) throw full('limits.chars', maxChars)
    makeRoom(sessionId, before ? 0 : 1, session.json.length - (before?.json.length ?? 0))
    if (before) drop(sessionId, before)
    stored.set(sessionId, session)
    chars += session.json.length
  }

  function makeRoom(sessionId: string, sessions: number, moreChars: number): void {
    for (const [id, session] of stored) {
      if (stored.size + sessions <= maxSessions && chars + moreChars <= maxChars) return
      if (id !== sessionId && !isClaimed(session)) drop(id, session)
    }
    if (stored.size + sessions > maxSessions) throw full('limits.sessions', maxSessions)
    if (chars + moreChars > maxChars) throw full('limits.chars', maxChars)
  }

  function isClaimed(session: Stored): boolean {
    return session.claim !== undefined && session.claim.expiresAt > clock.now()
  }

  function toSession(sessionId: string, session: Stored | undefined): Session {
    const messages: Message[] = JSON.parse(session?.json ?? empty)
    const claim = session && isClaimed(session) ? session.claim : undefined
    return { sessionId, version: session?.version ?? 0, messages, ...(claim && { activeRunId: claim.runId }) }
  }

  return {
    async load(sessionId) {
      return toSession(sessionId, find(sessionId))
    },
    async claim(sessionId, runId, ttlMs) {
      const session = find(sessionId)
      const claim = session?.claim
      if (claim && claim.runId !== runId && claim.expiresAt > clock.now()) {
        return { status: 'busy', activeRunId: claim.runId, expiresAt: claim.expiresAt }
      }
      const claimed: Stored = {
        json: session?.json ?? empty,
        version: session?.version ?? 0,
        usedAt: clock.now(),
        claim: { runId, expiresAt: clock.now() + ttlMs },
      }
      keep(sessionId, claimed)
      return { status: 'claimed', session: toSession(sessionId, claimed) }
    },
    async release(sessionId, runId) {
      const session = find(sessionId)
      if (session?.claim?.runId !== runId) return
      if (session.version === 0) drop(sessionId, session)
      else stored.set(sessionId, { ...session, claim: undefined })
    },
    async commit(sessionId, runId, expectedVersion, messages) {
      const session = find(sessionId)
      const version = session?.version ?? 0
      const claim = session?.claim
      if (version !== expectedVersion || claim?.runId !== runId) {
        return { status: 'conflict', version, ...(claim && claim.runId !== runId && { activeRunId: claim.runId }) }
      }
      keep(sessionId, { json: JSON.stringify(messages), version: version + 1, usedAt: clock.now(), claim })
      return { status: 'committed', version: version + 1 }
    },
    async delete(sessionId) {
      const session = find(sessionId)
      if (session) drop(sessionId, session)
    },
  }
}

function full(option: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the memory store is full: ${option} is ${limit}`, { path: option })
}
