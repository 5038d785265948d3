import type { RunHandle } from '../run/run-handle.ts'
import { MillraceError } from '../kit/errors.ts'
import { defined } from '../kit/defined.ts'
import type { Journal } from '../run/journal.ts'
import type { NewRun, RunJournal, TakeOverResult } from '../loop/run-journal.ts'
import type { CreateResult, RunLease, RunRecord, RunStore } from '../stores/run-store.ts'
import type { Clock } from '../kit/clock.ts'
import { readStored, rebuild } from './rebuild.ts'
import { createRecorder, leaseTime, storeUnavailable } from './recorder.ts'

/** Makes runs durable in `store`: their events are written there, and another process can take them over. */
export function runJournal(store: RunStore): RunJournal {
  return {
    open: (handle, run) => openNew(store, handle, run),
    takeOver: (runId, clock, continuePrompt) => takeOver(store, runId, clock, continuePrompt),
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

async function takeOver(store: RunStore, runId: string, clock: Clock, continuePrompt: string): Promise<TakeOverResult> {
  const lease = await store.acquire(runId, leaseTime)
  if (lease.status !== 'acquired') return lease
  const snapshot = await store.snapshot(runId)
  if (snapshot === undefined) return { status: 'not_found' }
  const { record } = snapshot
  const rebuilt = rebuild(record, await readStored(store, runId, lease.tail), continuePrompt)
  const { messages, sessionId, owner, request, metadata, mode, retraction } = record
  return {
    status: 'taken',
    input: { messages, ...defined({ sessionId, owner, request, metadata, mode, retraction }) },
    rebuilt,
    open: async (handle) => write(handle, store, clock, lease),
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
    },
    lost: () => recorder.lost,
  }
}
