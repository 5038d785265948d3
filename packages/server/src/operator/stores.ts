import { isMillraceError, type RunStore, type SessionStore } from '@millrace/core'
import { storeProblem } from '../http/problem.ts'
import type { Hooks } from './hooks.ts'

/** The methods of a run store that the handler calls. */
export type Runs = Pick<RunStore, 'abandoned' | 'cancel' | 'list' | 'read' | 'snapshot'>

/** The methods of a session store that the handler calls. */
export type Sessions = Pick<SessionStore, 'claim' | 'commit' | 'load' | 'release'>

/** Wraps the store: what its methods reject with or throw is reported, and thrown on as `store_unavailable`. */
export function guardRuns(runs: RunStore, hooks: Hooks): Runs {
  return {
    abandoned: (limit) => hooks.store('runs.abandoned', () => runs.abandoned(limit)),
    cancel: (runId, reason) => hooks.store('runs.cancel', () => runs.cancel(runId, reason), { runId }),
    list: (query) => hooks.store('runs.list', () => runs.list(query)),
    snapshot: (runId) => hooks.store('runs.snapshot', () => runs.snapshot(runId), { runId }),
    async *read(runId, afterSeq, signal) {
      try {
        yield* runs.read(runId, afterSeq, signal)
      } catch (error) {
        // What a follower has missed is the follower's to hear of.
        if (isMillraceError(error, 'events_missed')) throw error
        hooks.report(error, { source: 'runs.read', runId })
        throw storeProblem()
      }
    },
  }
}

/** The same for sessions. */
export function guardSessions(sessions: SessionStore, hooks: Hooks): Sessions {
  return {
    load: (sessionId) => hooks.store('sessions.load', () => sessions.load(sessionId)),
    claim: (sessionId, runId, ttlMs, owner) =>
      hooks.store('sessions.claim', () => sessions.claim(sessionId, runId, ttlMs, owner), { runId }),
    release: (sessionId, runId) => hooks.store('sessions.release', () => sessions.release(sessionId, runId), { runId }),
    commit: (sessionId, runId, version, messages) =>
      hooks.store('sessions.commit', () => sessions.commit(sessionId, runId, version, messages), { runId }),
  }
}
