import { type Clock, type FlagClient, type FlagContext, type FlagDetails, flagKeys } from '@millrace/core'
import { aClock, aCount, aDuration, aFunction, checkOptions, type Rule, withMethods } from '@millrace/core/kit'
import { backgroundClock } from './background-clock.ts'

export interface PinFlagsOptions {
  /** Returns what a decision is pinned to, or undefined not to pin it. Default: the context's `sessionId`. */
  readonly pinTo?: (context: FlagContext) => string | undefined
  /** The most decisions that are kept. The least recently used is dropped. Default: 10,000. */
  readonly capacity?: number
  /** How long a decision is kept after its last use, in milliseconds. Default: 24 hours. */
  readonly ttl?: number
  readonly clock?: Clock
}

interface Pin {
  readonly details: FlagDetails<boolean>
  expires: number
}

const aFlagClient = withMethods('getBooleanDetails')

const pinFlagsRules: Readonly<Record<keyof PinFlagsOptions, Rule>> = {
  pinTo: aFunction,
  capacity: aCount(1),
  ttl: aDuration,
  clock: aClock,
}

/**
 * Pins the decisions of `client` per session: a conversation that began with streaming keeps it when a percentage changes,
 * even if it is lowered. The kill switch and errors are never pinned.
 *
 * Pins are kept in the memory of this process. Across processes, a user keeps the bucket, and a run the `decision` of its
 * input.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function pinFlags(client: FlagClient, options: PinFlagsOptions = {}): FlagClient {
  aFlagClient(client, 'client')
  checkOptions(options, '', pinFlagsRules)
  const { pinTo = sessionOf, capacity = 10_000, ttl = 86_400_000, clock = backgroundClock } = options
  // Ordered by last use.
  const pins = new Map<string, Pin>()

  const find = (name: string): FlagDetails<boolean> | undefined => {
    const pin = pins.get(name)
    if (pin === undefined) return undefined
    pins.delete(name)
    if (pin.expires <= clock.now()) return undefined
    pin.expires = clock.now() + ttl
    pins.set(name, pin)
    return pin.details
  }
  const keep = (name: string, details: FlagDetails<boolean>): FlagDetails<boolean> => {
    if (details.errorCode !== undefined || details.reason === 'ERROR') return details
    // Two first runs of a session may be decided in parallel. Both get what was pinned first.
    const first = find(name)
    if (first !== undefined) return first
    pins.set(name, { details, expires: clock.now() + ttl })
    const [oldest] = pins.keys()
    if (pins.size > capacity && oldest !== undefined) pins.delete(oldest)
    return details
  }

  return {
    getBooleanDetails(key, fallback, context) {
      const session = key === flagKeys.kill || context === undefined ? undefined : pinTo(context)
      if (session === undefined) return client.getBooleanDetails(key, fallback, context)
      const name = JSON.stringify([session, key])
      const pinned = find(name)
      if (pinned !== undefined) return pinned
      const details = client.getBooleanDetails(key, fallback, context)
      return 'then' in details ? details.then((settled) => keep(name, settled)) : keep(name, details)
    },
  }
}

function sessionOf({ sessionId }: FlagContext): string | undefined {
  return typeof sessionId === 'string' && sessionId !== '' ? sessionId : undefined
}
