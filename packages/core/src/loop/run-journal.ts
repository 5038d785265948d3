import type { Journal } from '../run/journal.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { Message } from '../protocol/messages.ts'
import type { RebuiltRun } from './rebuilt-run.ts'
import type { RunInput } from '../run/run.ts'
import type { Clock } from '../kit/clock.ts'

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
  readonly open: (handle: RunHandle) => Promise<Journal>
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
