import type { Message, SessionStore, SessionSummary } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { unavailable } from './commands.ts'
import type { Context } from './context.ts'
import { createLists } from './lists.ts'
import {
  claimSession,
  commitSession,
  deleteSession,
  loadSession,
  releaseSession,
  summarizeSession,
} from './lua/sessions.ts'

export function sessionStore(context: Context): SessionStore {
  const { commands, keys, settings } = context
  const { clock, newId } = settings
  const { sessionMs } = settings.retention
  const { sessionBytes } = settings.limits
  const lists = createLists(context)

  async function find(sessionId: string): Promise<SessionSummary | 'gone'> {
    const [usedAt, version, activeRunId] = await commands.run(summarizeSession, [keys.session(sessionId)], [])
    if (usedAt === undefined) return 'gone'
    return { sessionId, version: Number(version), usedAt: Number(usedAt), ...defined({ activeRunId }) }
  }

  /** The lists are not in the slot of the conversation: a crash in between leaves it where it stood in its list. */
  async function note(sessionId: string, owner: string | undefined, usedAt: string | undefined): Promise<void> {
    if (owner === undefined || usedAt === undefined) return
    await lists.add(keys.sessionList(owner), sessionId, Number(usedAt), async (id) => (await find(id)) === 'gone')
  }

  return {
    async load(sessionId) {
      const reply = await commands.run(loadSession, [keys.session(sessionId)], [])
      const [version, messages, active, owner] = reply
      const session = { sessionId, version: Number(version), messages: parseMessages(messages) }
      return { ...session, ...defined({ owner }), ...(active !== '' && defined({ activeRunId: active })) }
    },
    async claim(sessionId, runId, ttlMs, named) {
      const args = [runId, String(ttlMs), String(sessionMs), ...(named === undefined ? [] : [named])]
      const reply = await commands.run(claimSession, [keys.session(sessionId)], args)
      const [status, first = '', second, usedAt, owner] = reply
      if (status === 'busy') return { status, activeRunId: first, expiresAt: clock.now() + Number(second) }
      await note(sessionId, owner, usedAt)
      const session = { sessionId, version: Number(first), messages: parseMessages(second), activeRunId: runId }
      return { status: 'claimed', session: { ...session, ...defined({ owner }) } }
    },
    async release(sessionId, runId) {
      const [usedAt, owner] = await commands.run(releaseSession, [keys.session(sessionId)], [runId])
      await note(sessionId, owner, usedAt)
    },
    async commit(sessionId, runId, expectedVersion, messages) {
      const json = JSON.stringify(messages)
      if (Buffer.byteLength(json) > sessionBytes) throw tooLarge(sessionBytes)
      const args = [newId(), runId, String(expectedVersion), String(sessionMs), json]
      const [status, version, third, owner] = await commands.run(commitSession, [keys.session(sessionId)], args)
      if (status === 'committed') {
        await note(sessionId, owner, third)
        return { status, version: Number(version) }
      }
      return { status: 'conflict', version: Number(version), ...defined({ activeRunId: third }) }
    },
    async delete(sessionId) {
      const [owner] = await commands.run(deleteSession, [keys.session(sessionId)], [])
      if (owner !== undefined) await lists.drop(keys.sessionList(owner), [sessionId])
    },
    list: ({ owner, ...query }) => lists.page(keys.sessionList(owner), query, find),
  }
}

function parseMessages(json = '[]'): Message[] {
  return JSON.parse(json)
}

function tooLarge(limit: number): Error {
  return unavailable(`the conversation is larger than limits.sessionBytes, ${limit}`, undefined, 'limits.sessionBytes')
}
