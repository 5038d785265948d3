import { isMillraceError, MillraceError } from '../kit/errors.ts'
import type { AgentEvent, RunOutcome } from '../protocol/events.ts'
import type { AppendResult, RunLease, RunStore } from '../stores/run-store.ts'
import type { CancelTimer, Clock } from '../kit/clock.ts'

/** Milliseconds that a delta may be behind in the store. */
const commitDelay = 25

/** Milliseconds after which a store that refuses is asked again, at most. */
const maxCommitDelay = 1_000

/** Milliseconds that a lease holds without renewal; it is renewed three times in that span. */
export const leaseTime = 30_000

/** Unstored events above which the run waits for the store. */
const highWaterMark = 1_000

/** Unstored events above which the run is given up: the store has been away for too long. */
const overflowMark = 20_000

export interface RecorderOptions {
  readonly store: RunStore
  readonly runId: string
  readonly lease: RunLease
  readonly clock: Clock
  /** Somebody asked for the run to stop. */
  readonly onCancel: (reason: string) => void
  /** The run can no longer be recorded, and has to end: another process drives it, or the store is gone. */
  readonly onLost: (error: MillraceError) => void
}

/** Writes the events of a run to its store: one append in flight, deltas at most 25 ms behind, a flush at once. */
export interface Recorder {
  record(events: readonly AgentEvent[]): void
  /** Resolves once everything recorded so far is durable; rejects `store_unavailable` or `lease_lost`. */
  flush(): Promise<void>
  /** Undefined where the store keeps up, else a promise to wait for. */
  ready(): Promise<void> | undefined
  /** Stores the last event and closes the run in the same step. */
  close(last: AgentEvent, outcome: RunOutcome): Promise<void>
  /** Stores the last event of this process and gives the lease back, so that another process can go on at once. */
  release(last: AgentEvent): Promise<void>
  readonly lost: MillraceError | undefined
}

// oxlint-disable-next-line max-lines-per-function -- short functions over one queue
export function createRecorder({ store, runId, lease, clock, onCancel, onLost }: RecorderOptions): Recorder {
  const { fence } = lease
  let queue: AgentEvent[] = []
  let inFlight: Promise<void> | undefined
  let appendingSince: number | undefined
  let lost: MillraceError | undefined
  let cancelCommit: CancelTimer | undefined
  /** Doubled while the store refuses. */
  let delay = commitDelay
  let stopped = false
  let cancelRenewal = clock.setTimer(renew, leaseTime / 3)
  let heldUntil = clock.now() + leaseTime
  let renewing: Promise<void> | undefined
  const watching = new AbortController()
  // Where the store cannot tell, or stops telling, the next append or renewal does.
  const watchCancel = async (): Promise<void> => noteCancel(await store.cancelled?.(runId, watching.signal))
  watchCancel().catch(() => {})
  let giveUp: (error: MillraceError) => void = () => {}
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = reject
  })
  givenUp.catch(() => {})

  function lose(error: MillraceError): void {
    if (lost !== undefined) return
    lost = error
    stop()
    giveUp(error)
    onLost(error)
  }

  function stop(): void {
    stopped = true
    // Without a reason, `abort` makes a DOMException with its stack, for every run.
    watching.abort('the run has ended')
    cancelCommit?.()
    cancelRenewal()
  }

  function renew(): void {
    const askedAt = clock.now()
    // The lease outlives two renewals that fail or are not answered. Then somebody else may have it.
    if (askedAt >= heldUntil) return lose(storeUnavailable(new Error('the lease could not be renewed')))
    // Renewals that succeed would else keep a run for ever that can store nothing.
    if (appendingSince !== undefined && askedAt >= appendingSince + leaseTime)
      return lose(storeUnavailable(new Error('an append was not answered')))
    cancelRenewal = clock.setTimer(renew, leaseTime / 3)
    // One that fails is followed by the next, for as long as the lease holds.
    renewing = prolong(askedAt).catch(() => {})
  }

  async function prolong(askedAt: number): Promise<void> {
    const result = await store.renew(runId, fence, leaseTime)
    if (result.status !== 'renewed') return lose(lossOf(result.status))
    heldUntil = askedAt + leaseTime
    noteCancel(result.cancelled)
  }

  function noteCancel(reason: string | undefined): void {
    if (reason !== undefined) onCancel(reason)
  }

  /** Appends what is queued, after the append that is under way. */
  async function append(close?: { readonly outcome: RunOutcome }): Promise<void> {
    await inFlight?.catch(() => {})
    if (lost !== undefined) throw lost
    const events = queue
    if (events.length === 0) return
    queue = []
    appendingSince = clock.now()
    let result: AppendResult
    try {
      result = await store.append(runId, fence, events, ...(close === undefined ? [] : [close]))
    } catch (cause) {
      queue = [...events, ...queue]
      throw storeUnavailable(cause)
    } finally {
      appendingSince = undefined
    }
    if (result.status === 'appended') {
      delay = commitDelay
      return noteCancel(result.cancelled)
    }
    const loss = lossOf(result.status)
    lose(loss)
    throw loss
  }

  function write(close?: { readonly outcome: RunOutcome }): Promise<void> {
    cancelCommit?.()
    cancelCommit = undefined
    const appended = append(close)
    const settled = appended.finally(() => {
      if (inFlight === settled) inFlight = undefined
    })
    settled.catch(() => {})
    inFlight = settled
    return appended
  }

  function commitSoon(): void {
    if (stopped) return
    cancelCommit ??= clock.setTimer(() => {
      cancelCommit = undefined
      if (inFlight !== undefined) return commitSoon()
      write().catch(() => {
        // Where it counts is the next flush; until then the append is tried again, for consumers that follow the store.
        delay = Math.min(delay * 2, maxCommitDelay)
        commitSoon()
      })
    }, delay)
  }

  return {
    record(events) {
      if (lost !== undefined || events.length === 0) return
      for (const event of events) queue.push(event)
      if (queue.length > overflowMark) lose(storeUnavailable(new Error('too many events are waiting')))
      else commitSoon()
    },
    // A store that does not answer holds the run for the time of a lease, and until the next renewal.
    flush: () => Promise.race([write(), givenUp]),
    ready() {
      if (queue.length < highWaterMark || lost !== undefined) return undefined
      return Promise.race([write(), givenUp]).catch(() => {})
    },
    async close(last, outcome) {
      if (lost !== undefined) return
      queue.push(last)
      try {
        await Promise.race([write({ outcome }), givenUp])
      } finally {
        stop()
      }
    },
    async release(last) {
      if (lost !== undefined) return
      queue.push(last)
      try {
        await Promise.race([write(), givenUp])
      } finally {
        stop()
        // A renewal that arrives after the lease was given back would take it again.
        await renewing
        // Also where the store refused the event: what it holds is enough to go on from.
        if (lost === undefined) await store.renew(runId, fence, 0)
      }
    },
    get lost() {
      return lost
    },
  }
}

/** Why a run is lost whose store says so: another process has it, or the store has lost the run or some of it. */
function lossOf(status: 'fenced' | 'closed' | 'gap' | 'not_found'): MillraceError {
  if (status === 'fenced' || status === 'closed')
    return new MillraceError('lease_lost', 'Another process has taken this run over')
  return storeUnavailable(new Error(`the store answered "${status}"`))
}

export function storeUnavailable(cause: unknown): MillraceError {
  if (isMillraceError(cause, 'lease_lost') || isMillraceError(cause, 'store_unavailable')) return cause
  return new MillraceError('store_unavailable', 'The run could not be stored, and was stopped before it went on', {
    retryable: true,
    cause,
  })
}
