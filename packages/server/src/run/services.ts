import type { RunResult, Runtime } from '@millrace/core'
import type { Caller } from './caller.ts'
import type { LiveRuns } from './live-runs.ts'
import type { HandlerSettings } from './options.ts'
import type { OpenResponses } from './open-responses.ts'
import type { Places } from './places.ts'

/** What the routes of one handler share. */
export interface Services {
  readonly settings: HandlerSettings
  readonly runtime: Runtime
  readonly live: LiveRuns
  readonly runPlaces: Places
  readonly followerPlaces: Places
  readonly uploadPlaces: Places
  /** Called with the result of each run. */
  readonly checkJournal: (result: RunResult) => void
  /** The responses of those that started a run here. */
  readonly responses: OpenResponses
  /** Aborts when the handler is drained, and responses that follow a run are to end. */
  readonly closing: AbortSignal
  readonly isDraining: () => boolean
}

/** One request, after its caller was admitted. */
export interface Exchange extends Services {
  readonly request: Request
  readonly url: URL
  readonly caller: Caller
}
