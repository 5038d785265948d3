import type { Message, SessionStore } from '@millrace/core'
import { defined, toJson } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { listSessions } from './lists.ts'
import { integer, optionalRestored, optionalText, restored, stored, text } from './rows.ts'
import { tooLarge } from './store-error.ts'

export function sessionStore(context: Context): SessionStore {
  const { calls, settings, newToken } = context
  const { schema, now, retention, limits } = settings
  const { sessionMs } = retention

  return {
    async load(sessionId) {
      const found = `
        SELECT version, owner, messages, CASE WHEN claim_ends > now_ms THEN claim_run END AS active_run
        FROM ${schema}.sessions, ${schema}.at($1) AS now_ms WHERE session_id = $3 AND used_at > now_ms - $2::bigint`
      const [row] = await calls.rows(found, [now(), sessionMs, stored(sessionId)])
      if (row === undefined) return { sessionId, version: 0, messages: [] }
      const optional = { owner: optionalRestored(row, 'owner'), activeRunId: optionalRestored(row, 'active_run') }
      const messages = parseMessages(text(row, 'messages'))
      return { sessionId, version: integer(row, 'version'), messages, ...defined(optional) }
    },
    async claim(sessionId, runId, ttlMs, named) {
      const ids = [stored(sessionId), stored(runId), ttlMs, named === undefined ? null : stored(named)]
      const row = await calls.row(`SELECT * FROM ${schema}.claim_session($1, $2, $3, $4, $5, $6)`, [
        now(),
        sessionMs,
        ...ids,
      ])
      if (text(row, 'status') === 'busy') {
        const activeRunId = restored(text(row, 'active_run'))
        return { status: 'busy', activeRunId, expiresAt: integer(row, 'expires_at') }
      }
      const owner = defined({ owner: optionalRestored(row, 'owner') })
      const messages = parseMessages(text(row, 'messages'))
      const session = { sessionId, version: integer(row, 'version'), messages, ...owner, activeRunId: runId }
      return { status: 'claimed', session }
    },
    async release(sessionId, runId) {
      const values = [now(), stored(sessionId), stored(runId)]
      await calls.rows(`SELECT ${schema}.release_session($1, $2, $3)`, values)
    },
    async commit(sessionId, runId, expectedVersion, messages) {
      const json = toJson(messages)
      if (Buffer.byteLength(json) > limits.sessionBytes) throw tooLarge('limits.sessionBytes', limits.sessionBytes)
      const values = [now(), sessionMs, stored(sessionId), stored(runId), expectedVersion, json, newToken()]
      const row = await calls.row(`SELECT * FROM ${schema}.commit_session($1, $2, $3, $4, $5, $6, $7)`, values)
      const version = integer(row, 'version')
      if (text(row, 'status') === 'committed') return { status: 'committed', version }
      const activeRun = optionalText(row, 'active_run')
      return { status: 'conflict', version, ...(activeRun !== undefined && { activeRunId: restored(activeRun) }) }
    },
    async delete(sessionId) {
      await calls.rows(`DELETE FROM ${schema}.sessions WHERE session_id = $1`, [stored(sessionId)])
    },
    list: (query) => listSessions(context, query),
  }
}

function parseMessages(json: string): Message[] {
  return JSON.parse(json)
}
