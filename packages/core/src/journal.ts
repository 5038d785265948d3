import type { RunHandle } from './create-run.ts'
import { MillraceError } from './errors.ts'
import type { AgentEvent } from './events.ts'
import type { Message } from './messages.ts'
import type { RunLease, RunStore } from './ports/run-store.ts'
import { createRecorder, leaseTime, type Recorder, storeUnavailable } from './recorder.ts'
import type { RunInput } from './run.ts'
import type { Clock } from './runtime.ts'

/** What makes a run durable; without a store, nothing does, and everything counts as durable. */
export interface Journal {
  barrier(): Promise<void>
  ready(): Promise<void> | undefined
  finish(last: AgentEvent): Promise<void>
  /** Why the run had to be given up. */
  readonly lost: MillraceError | undefined
}

export const noJournal: Journal = {
  barrier: () => Promise.resolve(),
  ready: () => undefined,
  finish: () => Promise.resolve(),
  lost: undefined,
}

export interface NewRun {
  readonly store: RunStore
  readonly clock: Clock
  readonly input: RunInput
  readonly messages: readonly Message[]
}

/** Stores a new run's record and writes its events from here on. */
export async function openJournal(handle: RunHandle, { store, clock, input, messages }: NewRun): Promise<Journal> {
  const { runId } = handle
  const { sessionId, owner, request, metadata } = input
  const record = {
    runId,
    messages,
    createdAt: clock.now(),
    ...(sessionId !== undefined && { sessionId }),
    ...(owner !== undefined && { owner }),
    ...(request !== undefined && { request }),
    ...(metadata !== undefined && { metadata }),
  }
  const created = await store.create(record, leaseTime).catch((cause: unknown) => {
    throw storeUnavailable(cause)
  })
  if (created.status === 'exists') {
    throw new MillraceError('invalid_input', 'runId is the id of a run that exists already', { path: 'runId' })
  }
  return writeJournal(handle, store, clock, created)
}

/** Writes a run's events under a lease that is held. */
export function writeJournal(handle: RunHandle, store: RunStore, clock: Clock, lease: RunLease): Journal {
  const recorder: Recorder = createRecorder({
    store,
    runId: handle.runId,
    lease,
    clock,
    onCancel: (reason) => handle.interrupt(reason),
    onLost: (error) => handle.interrupt(error.message),
  })
  handle.observe((event) => {
    if (event.type !== 'run.finished') recorder.record(event)
  })
  if (lease.cancelled !== undefined) handle.interrupt(lease.cancelled)
  return {
    barrier: () => recorder.barrier(),
    ready: () => recorder.ready(),
    async finish(last) {
      if (last.type === 'run.finished') await recorder.close(last, last.outcome)
    },
    get lost() {
      return recorder.lost
    },
  }
}
