import type { RunResult, Runtime } from '@millrace/core'
import type { Caller } from '../operator/caller.ts'
import type { Hooks } from '../operator/hooks.ts'
import type { HandlerSettings } from '../operator/options.ts'
import type { Runs, Sessions } from '../operator/stores.ts'
import type { OpenResponses } from '../response/open-responses.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import type { LiveRuns } from './live-runs.ts'

export interface RecoverReport {
  /** The ids of the runs that this call has taken over. They go on from here, and may have ended since. */
  readonly resumed: readonly string[]
}

/** Takes over the runs that nobody drives: by itself, and when asked. */
export interface Recovery {
  /** Looks once. Calling it again while it looks gives the same report. Rejects as `recoverRuns` does. */
  recover(): Promise<RecoverReport>
  /** Looks for one run that a client asks for, in the background. */
  takeUp(runId: string): void
  /** Stops looking. Returns what is still being taken over, if anything is. */
  stop(): Promise<unknown> | undefined
}

/** What the routes of one handler share. */
export interface Services {
  readonly settings: HandlerSettings
  readonly runtime: Runtime
  readonly hooks: Hooks
  readonly runs: Runs
  readonly sessions: Sessions | undefined
  readonly live: LiveRuns
  readonly limits: {
    readonly runs: ConcurrencyLimit
    readonly followers: ConcurrencyLimit
    readonly uploads: ConcurrencyLimit
  }
  /** Called with the result of each run. */
  readonly checkJournal: (result: RunResult) => void
  readonly responses: OpenResponses
  readonly shutdown: Shutdown
}

/** Services, with what works on them in the background. */
export interface RunningServices extends Services {
  readonly recovery: Recovery
}

export interface Shutdown {
  /** Whether new runs are refused. */
  readonly hasBegun: boolean
  /** Whether all open responses were ended, and nobody can follow a run here any more. */
  readonly isClosed: boolean
}

/** One request, after its caller was admitted. */
export interface Exchange extends RunningServices {
  readonly request: Request
  readonly url: URL
  readonly caller: Caller
}
