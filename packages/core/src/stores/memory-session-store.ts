import type { Message } from '../protocol/messages.ts'
import { type MemorySessionStoreOptions, memorySessionTable } from './memory-session-table.ts'
import type { SessionStore } from './session-store.ts'

export type { MemorySessionStoreOptions }

/**
 * Conversations in this process's memory: gone with the process, and not seen by another. It keeps no timer: what has
 * expired is dropped by the next call. Where a limit leaves no conversation to forget, `claim` and `commit` reject with
 * `store_unavailable`.
 */
export function memorySessionStore(options: MemorySessionStoreOptions = {}): SessionStore {
  const table = memorySessionTable(options)
  const { clock } = table

  return {
    async load(sessionId) {
      const session = table.find(sessionId)
      const claim = session && table.isClaimed(session) ? session.claim : undefined
      return {
        sessionId,
        version: session?.version ?? 0,
        messages: parseMessages(session?.messagesJson),
        ...(claim && { activeRunId: claim.runId }),
      }
    },
    async claim(sessionId, runId, ttlMs) {
      const session = table.find(sessionId)
      const claim = session && table.isClaimed(session) ? session.claim : undefined
      if (claim && claim.runId !== runId) {
        return { status: 'busy', activeRunId: claim.runId, expiresAt: claim.expiresAt }
      }
      const { messagesJson = '[]', version = 0 } = session ?? {}
      const expiresAt = clock.now() + ttlMs
      table.keep(sessionId, { messagesJson, version, usedAt: clock.now(), claim: { runId, expiresAt } })
      const messages = parseMessages(messagesJson)
      return { status: 'claimed', session: { sessionId, version, messages, activeRunId: runId } }
    },
    async release(sessionId, runId) {
      const session = table.find(sessionId)
      if (session?.claim?.runId !== runId) return
      if (session.version === 0) table.drop(sessionId)
      else table.keep(sessionId, { ...session, usedAt: clock.now(), claim: undefined })
    },
    async commit(sessionId, runId, expectedVersion, messages) {
      const session = table.find(sessionId)
      const version = session?.version ?? 0
      const claim = session?.claim
      if (version !== expectedVersion || claim?.runId !== runId) {
        return { status: 'conflict', version, ...(claim && claim.runId !== runId && { activeRunId: claim.runId }) }
      }
      const messagesJson = JSON.stringify(messages)
      table.keep(sessionId, { messagesJson, version: version + 1, usedAt: clock.now(), claim })
      return { status: 'committed', version: version + 1 }
    },
    async delete(sessionId) {
      table.drop(sessionId)
    },
  }
}

function parseMessages(json = '[]'): Message[] {
  return JSON.parse(json)
}
