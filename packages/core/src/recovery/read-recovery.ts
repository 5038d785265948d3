import { aCount, aDelay, aNumber, checkOptions, oneOf, refuse, withDefaults, withMethods } from '../kit/checks.ts'
import type { Runtime } from '../kit/clock.ts'
import { isRecord } from '../kit/guards.ts'
import { refuseHalfPairs } from '../kit/well-formed.ts'
import { isBlank } from '../protocol/messages.ts'
import { aRetraction } from '../protocol/retraction.ts'
import { createCircuitBreaker } from './circuit-breaker.ts'
import { recoveryDefaults, type RecoveryOptions, type RecoveryPolicy } from './policy.ts'
import { createRetryBudget } from './retry-budget.ts'

const recoveryRules = {
  connectTimeout: aDelay(),
  idleTimeout: aDelay(),
  idleTimeoutWithoutPings: aDelay(),
  contentTimeout: aDelay(),
  minThroughput: aNumber,
  bufferedTimeout: aDelay(),
  streamRetries: aCount(0),
  bufferedRetries: aCount(0),
  extraRequests: aCount(0),
  backoff: aDelay(0),
  maxBackoff: aDelay(0),
  retryAfterCap: aDelay(0),
  retryAfterServerTools(value: unknown, path: string): void {
    if (typeof value !== 'function') oneOf('always', 'never', 'reads')(value, path)
  },
  retraction: aRetraction,
  continuePrompt(value: unknown, path: string): void {
    if (typeof value !== 'string' || isBlank(value)) refuse(path, 'must be a text that is not blank')
    refuseHalfPairs(value, path)
  },
  budget(value: unknown, path: string): void {
    withMethods('request', 'take')(value, path)
    // Without the number, no request would be one too many.
    if (!isRecord(value) || typeof value['left'] !== 'number') refuse(`${path}.left`, 'must be a number')
  },
  breaker: withMethods('permit', 'onChange'),
}

/**
 * Returns the recovery options with their defaults; without a budget or a breaker given, with ones of their own.
 *
 * @throws MillraceError with the option's path and what is expected there
 */
export function readRecovery(given: RecoveryOptions | undefined, { clock }: Pick<Runtime, 'clock'>): RecoveryPolicy {
  const options = given ?? {}
  checkOptions(options, 'recovery', recoveryRules)
  const own = { budget: createRetryBudget({ clock }), breaker: createCircuitBreaker({ clock }) }
  return withDefaults<RecoveryPolicy>({ ...recoveryDefaults, ...own }, options)
}
