import type { Runtime } from '@millrace/core'
import type { Caller } from './caller.ts'
import type { LiveRuns } from './live-runs.ts'
import type { HandlerSettings } from './options.ts'
import type { Places } from './places.ts'

/** What the routes of one handler share. */
export interface Services {
  readonly settings: HandlerSettings
  readonly runtime: Runtime
  readonly live: LiveRuns
  readonly runPlaces: Places
  readonly followerPlaces: Places
  readonly uploadPlaces: Places
  /** Aborts when the handler is drained and every response is to end. */
  readonly closing: AbortSignal
  readonly isDraining: () => boolean
}

/** One request, after its caller was admitted. */
export interface Exchange extends Services {
  readonly request: Request
  readonly url: URL
  readonly caller: Caller
}
