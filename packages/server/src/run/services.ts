import type { RunResult, Runtime } from '@millrace/core'
import type { Caller } from '../operator/caller.ts'
import type { Hooks } from '../operator/hooks.ts'
import type { HandlerSettings } from '../operator/options.ts'
import type { Runs, Sessions } from '../operator/stores.ts'
import type { OpenResponses } from '../response/open-responses.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import type { LiveRuns } from './live-runs.ts'

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

export interface Shutdown {
  /** Whether new runs are refused. */
  readonly hasBegun: boolean
  /** Whether all open responses were ended, and nobody can follow a run here any more. */
  readonly isClosed: boolean
}

/** One request, after its caller was admitted. */
export interface Exchange extends Services {
  readonly request: Request
  readonly url: URL
  readonly caller: Caller
}
