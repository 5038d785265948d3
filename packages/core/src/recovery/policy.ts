import { continuePrompt } from '../protocol/continue-prompt.ts'
import type { Retraction } from '../protocol/retraction.ts'
import type { WatchdogLimits } from '../model/watchdog.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { RetryAfterServerTools } from './server-tools.ts'

/** How a broken stream is recovered from. The defaults are what is promised; `docs/recovery.md` weighs each. */
export interface RecoveryOptions extends Partial<WatchdogLimits> {
  /** Milliseconds for a whole answer without streaming. Default: 600,000, the SDK's own. */
  readonly bufferedTimeout?: number
  /** How often a turn is streamed again. Default: 1. */
  readonly streamRetries?: number
  /** How often a turn is asked again without streaming. Default: 2, as the SDK retries. */
  readonly bufferedRetries?: number
  /** Requests beyond the first of each turn that one run may make. Default: 6. */
  readonly extraRequests?: number
  /** Milliseconds before the first retry; doubled for each further one, less up to 25 % of jitter. Default: 500. */
  readonly backoff?: number
  /** Milliseconds that a backoff is at most. Default: 8,000. */
  readonly maxBackoff?: number
  /** Milliseconds that a `retry-after` is followed at most. Default: 30,000. */
  readonly retryAfterCap?: number
  readonly retryAfterServerTools?: RetryAfterServerTools
  readonly retraction?: Retraction
  /** Says to the model, as the user, that it was cut off and shall go on where it stopped. */
  readonly continuePrompt?: string
  /** Shared by agents that use one endpoint. Default: one of the agent's own. */
  readonly budget?: RetryBudget
  /** Shared likewise. */
  readonly breaker?: CircuitBreaker
}

export type RecoveryPolicy = Required<RecoveryOptions>

export const recoveryDefaults: Omit<RecoveryPolicy, 'budget' | 'breaker'> = {
  connectTimeout: 120_000,
  idleTimeout: 120_000,
  idleTimeoutWithoutPings: 280_000,
  contentTimeout: 600_000,
  minThroughput: 0,
  bufferedTimeout: 600_000,
  streamRetries: 1,
  bufferedRetries: 2,
  extraRequests: 6,
  backoff: 500,
  maxBackoff: 8_000,
  retryAfterCap: 30_000,
  retryAfterServerTools: 'reads',
  retraction: 'auto',
  continuePrompt,
}
