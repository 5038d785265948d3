import type { Message, SessionStore } from '@millrace/core'
import { defined, toJson } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { integer, optionalText, text } from './database.ts'
import { listSessions } from './list-sessions.ts'
import { tooLarge } from './store-error.ts'

interface SessionRow {
  readonly version: number
  readonly owner: string | undefined
  readonly messagesJson: string
  /** The last run that has claimed the session and has not given it back, expired or not. */
  readonly claim: { readonly runId: string; readonly endsAt: number } | undefined
}

const empty: SessionRow = { version: 0, owner: undefined, messagesJson: '[]', claim: undefined }

export function sessionStore({ db, transactions, settings }: Context): SessionStore {
  const { clock, retention, limits } = settings

  function find(sessionId: string): SessionRow {
    const row = db.get(
      'SELECT version, owner, claim_run, claim_ends, messages FROM sessions WHERE session_id = ? AND used_at > ?',
      sessionId,
      clock.now() - retention.sessionMs,
    )
    if (row === undefined) return empty
    const runId = optionalText(row, 'claim_run')
    const claim = runId === undefined ? undefined : { runId, endsAt: integer(row, 'claim_ends') }
    const [version, owner] = [integer(row, 'version'), optionalText(row, 'owner')]
    return { version, owner, messagesJson: text(row, 'messages'), claim }
  }

  function keep(sessionId: string, { version, owner, messagesJson, claim }: SessionRow): void {
    const statement = `
      INSERT INTO sessions (session_id, version, owner, used_at, claim_run, claim_ends, messages)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET version = excluded.version, owner = excluded.owner, used_at = excluded.used_at,
        claim_run = excluded.claim_run, claim_ends = excluded.claim_ends, messages = excluded.messages`
    const { runId = null, endsAt = null } = claim ?? {}
    db.run(statement, sessionId, version, owner ?? null, clock.now(), runId, endsAt, messagesJson)
  }

  function isRunning(claim: SessionRow['claim']): boolean {
    return claim !== undefined && claim.endsAt > clock.now()
  }

  function remove(sessionId: string): void {
    db.run('DELETE FROM sessions WHERE session_id = ?', sessionId)
  }

  return {
    async load(sessionId) {
      const { version, owner, messagesJson, claim } = await transactions.read(() => find(sessionId))
      const activeRunId = isRunning(claim) ? claim?.runId : undefined
      return { sessionId, version, messages: parseMessages(messagesJson), ...defined({ owner, activeRunId }) }
    },
    claim(sessionId, runId, ttlMs, named) {
      return transactions.write(sessionId, () => {
        const { version, owner = named, messagesJson, claim } = find(sessionId)
        if (claim && isRunning(claim) && claim.runId !== runId)
          return { status: 'busy', activeRunId: claim.runId, expiresAt: claim.endsAt }
        keep(sessionId, { version, owner, messagesJson, claim: { runId, endsAt: clock.now() + ttlMs } })
        const messages = parseMessages(messagesJson)
        return {
          status: 'claimed',
          session: { sessionId, version, messages, ...defined({ owner }), activeRunId: runId },
        }
      })
    },
    release(sessionId, runId) {
      return transactions.write(sessionId, () => {
        const session = find(sessionId)
        if (session.claim?.runId !== runId) return
        if (session.version === 0) remove(sessionId)
        else keep(sessionId, { ...session, claim: undefined })
      })
    },
    async commit(sessionId, runId, expectedVersion, messages) {
      const messagesJson = toJson(messages)
      return transactions.write(sessionId, () => {
        if (Buffer.byteLength(messagesJson) > limits.sessionBytes)
          throw tooLarge('limits.sessionBytes', limits.sessionBytes)
        const { version, owner, claim } = find(sessionId)
        if (version !== expectedVersion || claim?.runId !== runId)
          return { status: 'conflict', version, ...(claim && claim.runId !== runId && { activeRunId: claim.runId }) }
        keep(sessionId, { version: version + 1, owner, messagesJson, claim })
        return { status: 'committed', version: version + 1 }
      })
    },
    delete: (sessionId) => transactions.write(sessionId, () => remove(sessionId)),
    list: (query) => transactions.read(() => listSessions(db, query, clock.now(), retention.sessionMs)),
  }
}

function parseMessages(json: string): Message[] {
  return JSON.parse(json)
}
