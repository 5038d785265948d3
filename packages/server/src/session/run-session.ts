import type { Clock, Message, RunResult } from '@millrace/core'
import { wait } from '@millrace/core/kit'
import { ProblemError } from '../http/problem.ts'
import type { Hooks } from '../operator/hooks.ts'
import type { Runs, Sessions } from '../operator/stores.ts'
import { isMoved } from './moved.ts'

/** How long, in milliseconds, a run that has ended elsewhere may take to give its session back, and how often to look. */
const handBack = { within: 2_000, every: 50 }

/** How long a start waits for the run before it, in milliseconds, and how often it looks. */
const queueing = { within: 30_000, every: 250 }

/** A conversation that one run may add to. */
export interface RunSession {
  readonly messages: readonly Message[]
  /** Writes the conversation back, where the run added to it, and lets the session go. Never rejects. */
  readonly settle: (result: RunResult) => Promise<void>
  /** No longer keeps the claim, and gives it back where told to. Never rejects. */
  readonly abandon: (how: { readonly release: boolean }) => Promise<void>
}

export interface ReclaimOptions {
  readonly sessions: Sessions
  readonly sessionId: string
  readonly runId: string
  /** Milliseconds. */
  readonly claimMs: number
  readonly clock: Clock
  readonly hooks: Hooks
}

export interface ClaimOptions extends ReclaimOptions {
  readonly runs: Runs
  readonly owner: string | undefined
  readonly onBusy: 'refuse' | 'queue' | 'interrupt'
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal
}

/**
 * Makes the run the one active run of its session, and keeps it that until it is settled.
 *
 * @throws ProblemError `session_busy`, `store_unavailable`
 */
export async function claimSession(options: ClaimOptions): Promise<RunSession> {
  return keepClaim(await claim(options), options)
}

/**
 * The same for a run that was taken over, which had claimed the session in a process that has died. Undefined where the
 * conversation has gone on without it meanwhile: its messages are then not to be overwritten, which is reported.
 *
 * @throws ProblemError `store_unavailable`
 */
export async function reclaimSession(options: ReclaimOptions): Promise<RunSession | undefined> {
  const { sessions, sessionId, runId, claimMs, hooks } = options
  const found = await sessions.load(sessionId)
  // Only the run that claimed last may commit, also once its claim has expired: writing back what is there is the proof.
  const proof = await sessions.commit(sessionId, runId, found.version, found.messages)
  if (proof.status === 'committed') {
    const claimed = await sessions.claim(sessionId, runId, claimMs)
    if (claimed.status === 'claimed' && claimed.session.version === proof.version) {
      return keepClaim(claimed.session, options)
    }
    if (claimed.status === 'claimed') await sessions.release(sessionId, runId)
  }
  hooks.report(conflict(sessionId), { runId, source: 'sessions.commit' })
  return undefined
}

function keepClaim(
  session: { readonly messages: readonly Message[]; readonly version: number },
  { sessions, sessionId, runId, claimMs, clock, hooks }: ReclaimOptions,
): RunSession {
  let cancelTimer = (): void => undefined
  const renew = (): void => {
    cancelTimer = clock.setTimer(() => {
      // A failed renewal was reported where the store was asked; the next one may succeed.
      sessions.claim(sessionId, runId, claimMs).catch(() => undefined)
      renew()
    }, claimMs / 3)
  }
  renew()

  async function abandon({ release }: { readonly release: boolean }): Promise<void> {
    cancelTimer()
    if (release) await sessions.release(sessionId, runId).catch(() => undefined)
  }

  return {
    messages: session.messages,
    abandon,
    async settle(result) {
      // Another process drives the run now, and writes what comes of it.
      if (result.error?.code === 'lease_lost' || isMoved(result)) return abandon({ release: false })
      try {
        // A run that added nothing leaves the conversation as it was: a question without an answer would stand there twice
        // once it is asked again.
        if (result.newMessages.length > 0) {
          const written = await sessions.commit(sessionId, runId, session.version, result.messages)
          if (written.status === 'conflict') hooks.report(conflict(sessionId), { runId, source: 'sessions.commit' })
        }
      } catch {
        // The store's failure was reported where it was asked. The run has ended all the same.
      }
      await abandon({ release: true })
    },
  }
}

async function claim(
  options: ClaimOptions,
): Promise<{ readonly messages: readonly Message[]; readonly version: number }> {
  const { sessions, runs, sessionId, runId, claimMs, clock, signal, owner, onBusy } = options
  let hasCancelled = false
  for (let waited = 0; ;) {
    const claimed = await sessions.claim(sessionId, runId, claimMs, owner)
    if (claimed.status === 'claimed') return claimed.session
    // A client that saw the end of the run before may be faster than the instance that writes the session.
    const before = await runs.snapshot(claimed.activeRunId)
    if (onBusy === 'interrupt' && before?.closed === false && !hasCancelled) {
      hasCancelled = true
      await runs.cancel(claimed.activeRunId, 'another request took its place')
    }
    const { within, every } = onBusy === 'refuse' ? handBack : queueing
    const mayWait = onBusy !== 'refuse' || before?.closed === true
    if (!mayWait || waited >= within || signal.aborted) throw busy(claimed.expiresAt - clock.now())
    const pause = before?.closed === true ? handBack.every : every
    await wait(clock, pause, signal)
    waited += pause
  }
}

function busy(restMs: number): ProblemError {
  const retryAfter = Math.min(Math.max(restMs / 1000, 1), 5)
  return new ProblemError('session_busy', 'Another run of this session is under way: wait for its end, or cancel it', {
    retryAfter,
  })
}

function conflict(sessionId: string): Error {
  return new Error(`the session ${JSON.stringify(sessionId)} was changed or deleted while its run was under way`)
}
