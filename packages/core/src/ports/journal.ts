import type { RunHandle } from '../create-run.ts'
import type { MillraceError } from '../errors.ts'
import type { AgentEvent } from '../events.ts'
import type { Message } from '../messages.ts'
import type { RebuiltRun } from '../rebuilt-run.ts'
import type { RunInput } from '../run.ts'
import type { Clock } from '../runtime.ts'

/** What makes one run durable. */
export interface Journal {
  /** Resolves once everything emitted so far is durable; rejects `store_unavailable` or `lease_lost`. */
  readonly barrier: () => Promise<void>
  /** Undefined where the store keeps up, else a promise to wait for before more is read from the model. */
  readonly ready: () => Promise<void> | undefined
  /** Stores the last event, and closes the run. */
  readonly finish: (last: AgentEvent) => Promise<void>
  /** Why the run had to be given up, once it had. */
  readonly lost: () => MillraceError | undefined
}

export interface NewRun {
  readonly clock: Clock
  readonly input: RunInput
  readonly messages: readonly Message[]
}

/** A run that now belongs to this process. */
export interface TakenOver {
  readonly status: 'taken'
  /** What the run was started with. */
  readonly input: RunInput
  /** How far it had come. */
  readonly rebuilt: RebuiltRun
  readonly open: (handle: RunHandle) => Journal
}

export type TakeOverResult =
  | TakenOver
  | { readonly status: 'held'; readonly expiresAt: number }
  | { readonly status: 'closed' }
  | { readonly status: 'not_found' }

/** Makes runs durable: `runJournal` of `@millrace/core/journal` does, over a RunStore. */
export interface RunJournal {
  /** Stores a new run, and writes its events from here on. Rejects where the store refuses. */
  open(handle: RunHandle, run: NewRun): Promise<Journal>
  /** Takes a run whose lease has expired. `continuePrompt`: what a continued turn is followed by. */
  takeOver(runId: string, clock: Clock, continuePrompt: string): Promise<TakeOverResult>
}

/** Without a store nothing is durable, and nothing waits for it. */
export const noJournal: Journal = {
  barrier: () => Promise.resolve(),
  ready: () => undefined,
  finish: () => Promise.resolve(),
  lost: () => undefined,
}
