import type { Clock } from '@millrace/core'
import {
  aClock,
  aCount,
  aDelay,
  anObject,
  checkOptions,
  readRuntime,
  refuse,
  rule,
  withDefaults,
} from '@millrace/core/kit'
import type { RedisClient } from './client/connect.ts'

export interface RedisStoresOptions {
  /** A connected client of `ioredis` or node-redis, for one server or a Cluster. It stays yours: `close` leaves it open. */
  readonly client: RedisClient
  /** Put before every key and channel. It must hold no braces. Default: `millrace:`. */
  readonly prefix?: string
  /** How long a call may wait for Redis before it rejects with `store_unavailable`, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
  /** How often a waiting reader looks by itself, for notifications that were lost, in milliseconds. Default: 1,000. */
  readonly pollMs?: number
  readonly retention?: {
    /** How long the events of a closed run can be read, in milliseconds. Default: 1 hour. */
    readonly eventsMs?: number
    /** How long a closed run can be looked up, and an abandoned one taken over, in milliseconds. Default: 24 hours. */
    readonly recordMs?: number
    /** How long a conversation is kept after its last commit or claim, in milliseconds. Default: 30 days. */
    readonly sessionMs?: number
  }
  readonly limits?: {
    /** Bytes of one run's record and events. Default: 33,554,432. */
    readonly runBytes?: number
    /** Bytes of one conversation. Default: 33,554,432. */
    readonly sessionBytes?: number
    /** Bytes of one value of the state store. Default: 1,048,576. */
    readonly valueBytes?: number
  }
  /** Times leases and waits, for tests. Default: leases go by the clock of the Redis server, waits by the system's. */
  readonly clock?: Clock
}

export interface Settings {
  readonly prefix: string
  readonly timeoutMs: number
  readonly pollMs: number
  readonly retention: Required<NonNullable<RedisStoresOptions['retention']>>
  readonly limits: Required<NonNullable<RedisStoresOptions['limits']>>
  readonly clock: Clock
  /** The time for the scripts; empty where they ask the server. */
  readonly now: () => string
  readonly newId: () => string
}

const aKeep = aCount(1)

const rules = {
  // Looked at where it is used: there are several kinds.
  client: rule((value) => typeof value === 'object' && value !== null, 'must be a client of ioredis or node-redis'),
  prefix: rule((value) => typeof value === 'string' && !/[{}]/.test(value), 'must be a string without braces'),
  timeoutMs: aDelay(),
  pollMs: aDelay(),
  retention: anObject({ eventsMs: aKeep, recordMs: aKeep, sessionMs: aKeep }),
  limits: anObject({ runBytes: aCount(1), sessionBytes: aCount(1), valueBytes: aCount(1) }),
  clock: aClock,
}

const day = 86_400_000

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readSettings(options: RedisStoresOptions): Settings {
  checkOptions(options, '', rules)
  if (options.client === undefined) refuse('client', 'must be a client of ioredis or node-redis')
  const { prefix = 'millrace:', timeoutMs = 10_000, pollMs = 1000, clock } = options
  const runtime = readRuntime(clock === undefined ? {} : { clock })
  return {
    prefix,
    timeoutMs,
    pollMs,
    retention: withDefaults({ eventsMs: 3_600_000, recordMs: day, sessionMs: 30 * day }, options.retention ?? {}),
    limits: withDefaults(
      { runBytes: 33_554_432, sessionBytes: 33_554_432, valueBytes: 1_048_576 },
      options.limits ?? {},
    ),
    clock: runtime.clock,
    now: () => (clock === undefined ? '' : String(Math.floor(clock.now()))),
    newId: runtime.newId,
  }
}
