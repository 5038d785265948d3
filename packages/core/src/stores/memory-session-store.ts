import type { Message } from '../protocol/messages.ts'
import { defined } from '../kit/defined.ts'
import { type MemorySessionStoreOptions, memorySessionTable, type StoredSession } from './memory-session-table.ts'
import { pageOf } from './page-of.ts'
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

  const claimOf = (session: StoredSession | undefined): StoredSession['claim'] =>
    session && table.isClaimed(session) ? session.claim : undefined

  return {
    async load(sessionId) {
      const session = table.find(sessionId)
      return {
        sessionId,
        version: session?.version ?? 0,
        messages: parseMessages(session?.messagesJson),
        ...defined({ owner: session?.owner, activeRunId: claimOf(session)?.runId }),
      }
    },
    async claim(sessionId, runId, ttlMs, named) {
      const session = table.find(sessionId)
      const claim = claimOf(session)
      if (claim && claim.runId !== runId) {
        return { status: 'busy', activeRunId: claim.runId, expiresAt: claim.expiresAt }
      }
      const { messagesJson = '[]', version = 0, owner = named } = session ?? {}
      const expiresAt = clock.now() + ttlMs
      table.keep(sessionId, { messagesJson, version, owner, usedAt: clock.now(), claim: { runId, expiresAt } })
      const messages = parseMessages(messagesJson)
      return { status: 'claimed', session: { sessionId, version, messages, ...defined({ owner }), activeRunId: runId } }
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
      const owner = session?.owner
      table.keep(sessionId, { messagesJson, version: version + 1, owner, usedAt: clock.now(), claim })
      return { status: 'committed', version: version + 1 }
    },
    async delete(sessionId) {
      table.drop(sessionId)
    },
    async list({ owner, ...page }) {
      const own = table.all().filter(([, session]) => session.owner === owner)
      return pageOf(own, ([id, { usedAt: at }]) => ({ at, id }), page).map(([sessionId, session]) => {
        const { version, usedAt } = session
        return { sessionId, version, usedAt, ...defined({ activeRunId: claimOf(session)?.runId }) }
      })
    },
  }
}

function parseMessages(json = '[]'): Message[] {
  return JSON.parse(json)
}
