import type { Retraction } from '../protocol/retraction.ts'
import type { PreparedRun } from './prepared-run.ts'
import type { AgentRun, RunInput } from './run.ts'

/** What a run that is taken over may be given anew; the rest is stored. */
export type ResumeInput = Pick<RunInput, 'callbacks' | 'flags' | 'ledger' | 'retraction' | 'signal' | 'user'>

/** Why a run was not taken over. `held`: another process drives it, until `expiresAt` (ms since the epoch) at least. */
export type NotTaken =
  | { readonly status: 'held'; readonly expiresAt: number }
  | { readonly status: 'closed' }
  | { readonly status: 'not_found' }

export type ResumeResult = { readonly status: 'resumed'; readonly run: AgentRun } | NotTaken

/** Anything that runs: an agent of `createAgent`, a remote one, or an adapted loop. */
export interface Agent {
  /** Starts a run. @throws MillraceError `invalid_input`, `invalid_messages`, `unknown_option`, at once */
  run(input: RunInput): AgentRun
  /**
   * Takes over a stored run whose lease has expired, and drives it to its end. Settled calls are reused; a call that had
   * started is reconciled, runs again if its tool may, or is reported as unknown.
   *
   * Rejects with `invalid_option` or `unknown_option` for a wrong input or an agent without a journal, before the run is
   * taken, and where the store fails.
   */
  resume?(runId: string, input?: ResumeInput): Promise<ResumeResult>
  /** What its runs do with shown text if their input does not say. Default: `auto`. */
  readonly retraction?: Retraction
  /** Returns the names of the client tools it has now, so that a decision can be taken for each. */
  toolNames?(): readonly string[]
}

/** An agent that another one can drive on a run of its own, as `adaptLoop` does: of `createAgent` or `remoteAgent`. */
export interface DrivableAgent extends Agent {
  /** Checks `input` and prepares a run that its caller starts. @throws MillraceError as `run` does */
  prepare(input: RunInput): PreparedRun
  /** Whether its runs are recorded, so that they outlive this process. */
  readonly durable: boolean
  /** Takes a stored run whose lease has expired, for its caller to start. Rejects as `resume` does. */
  takeOver?(
    runId: string,
    input?: ResumeInput,
  ): Promise<{ readonly status: 'taken'; readonly prepared: PreparedRun } | NotTaken>
}

/** An agent, or what can be used as one: an adapted loop, whose own `run` takes the arguments of the legacy loop. */
export type AgentSource = Agent | { toAgent(): Agent }

/** Returns `source` as an agent. */
export function agentOf(source: AgentSource): Agent {
  return 'toAgent' in source ? source.toAgent() : source
}
