import type { RunHandle } from '../run/run-handle.ts'
import { MillraceError } from '../kit/errors.ts'
import { defined } from '../kit/defined.ts'
import type { Journal } from '../run/journal.ts'
import type { NewRun, RunJournal, TakeOverResult } from '../loop/run-journal.ts'
import type { CreateResult, RunLease, RunRecord, RunStore } from '../stores/run-store.ts'
import { aCount, aDelay, anObject, checkOptions, withDefaults } from '../kit/checks.ts'
import { type Clock, wait } from '../kit/clock.ts'
import { readStored, rebuild } from './rebuild.ts'
import { createRecorder, leaseTime, storeUnavailable } from './recorder.ts'
import { type CrashLimits, crashLimits, readTakeover, type Takeover } from './takeovers.ts'

export interface RunJournalOptions {
  /**
   * How often the process that drives a run may die before the run ends as `crash_loop`, and how long each takeover waits.
   */
  readonly crashes?: Partial<CrashLimits>
}

const rules = { crashes: anObject({ inARow: aCount(0), total: aCount(0), backoff: aDelay(0) }) }

/**
 * Makes runs durable in `store`: their events are written there, and another process can take them over.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function runJournal(store: RunStore, options: RunJournalOptions = {}): RunJournal {
  checkOptions(options, '', rules)
  const limits = withDefaults(crashLimits, options.crashes ?? {})
  return {
    open: (handle, run) => openNew(store, handle, run),
    takeOver: (runId, clock, continuePrompt) => takeOver(store, runId, { clock, continuePrompt, limits }),
  }
}

async function openNew(store: RunStore, handle: RunHandle, { clock, input, messages }: NewRun): Promise<Journal> {
  const { sessionId, owner, request, metadata, mode, retraction } = input
  const { runId } = handle
  const kept = defined({ sessionId, owner, request, metadata, mode, retraction })
  const record = { runId, messages, createdAt: clock.now(), ...kept }
  const created = await create(store, record)
  if (created.status === 'exists') {
    throw new MillraceError('invalid_input', 'runId is the id of a run that exists already', { path: 'runId' })
  }
  return write(handle, store, clock, created)
}

async function create(store: RunStore, record: RunRecord): Promise<CreateResult> {
  try {
    return await store.create(record, leaseTime)
  } catch (cause) {
    throw storeUnavailable(cause)
  }
}

interface TakeOverOptions {
  readonly clock: Clock
  readonly continuePrompt: string
  readonly limits: CrashLimits
}

async function takeOver(
  store: RunStore,
  runId: string,
  { clock, continuePrompt, limits }: TakeOverOptions,
): Promise<TakeOverResult> {
  const lease = await store.acquire(runId, leaseTime)
  if (lease.status !== 'acquired') return lease
  const snapshot = await store.snapshot(runId)
  if (snapshot === undefined) return { status: 'not_found' }
  const { record } = snapshot
  const events = await readStored(store, runId, lease.tail)
  const rebuilt = rebuild(record, events, continuePrompt)
  const takeover = readTakeover(runId, events, limits)
  const { messages, sessionId, owner, request, metadata, mode, retraction } = record
  return {
    status: 'taken',
    input: { messages, ...defined({ sessionId, owner, request, metadata, mode, retraction }) },
    rebuilt: { ...rebuilt, missing: [takeover.event, ...(rebuilt.missing ?? [])] },
    open: async (handle) => goOn(handle, write(handle, store, clock, lease), clock, takeover),
  }
}

/** Goes on with a run after its pause. One that is given up is interrupted, so that its calls are settled, and has failed. */
function goOn(handle: RunHandle, journal: Journal, clock: Clock, { delay, failure }: Takeover): Journal {
  if (failure !== undefined) handle.interrupt(failure.message)
  return {
    ...journal,
    begin: () => wait(clock, delay, handle.signal),
    lost: () => journal.lost() ?? failure,
  }
}

/** Writes a run's events under a lease that is held. */
function write(handle: RunHandle, store: RunStore, clock: Clock, lease: RunLease): Journal {
  const recorder = createRecorder({
    store,
    runId: handle.runId,
    lease,
    clock,
    onCancel: (reason) => handle.interrupt(reason),
    onLost: (error) => handle.interrupt(error.message),
  })
  if (lease.cancelled !== undefined) handle.interrupt(lease.cancelled)
  return {
    record: (events) => recorder.record(events),
    flush: () => recorder.flush(),
    ready: () => recorder.ready(),
    async finish(last) {
      if (last.type === 'run.finished') await recorder.close(last, last.outcome)
      else await recorder.release(last)
    },
    lost: () => recorder.lost,
  }
}
