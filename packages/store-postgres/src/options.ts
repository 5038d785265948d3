import type { Clock, MillraceError } from '@millrace/core'
import {
  aBoolean,
  aClock,
  aCount,
  aDelay,
  aFunction,
  anObject,
  checkOptions,
  refuse,
  rule,
  withDefaults,
  withMethods,
} from '@millrace/core/kit'

/** What a query gives, as `pg` has it. */
export interface PostgresResult {
  readonly rows: readonly unknown[]
}

/** A connection of a pool of `pg`. */
export interface PostgresClient {
  query(sql: string, values?: unknown[]): Promise<PostgresResult>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown
  release(destroy?: boolean): void
}

/** A `Pool` of `pg`. */
export interface PostgresPool {
  query(sql: string, values?: unknown[]): Promise<PostgresResult>
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

export interface PostgresStoresOptions {
  /** A `Pool` of `pg`. It stays yours: `close` leaves it open. */
  readonly pool: PostgresPool
  /**
   * The pool that one connection is taken from for LISTEN. It must reach the server itself, not pgbouncer in transaction
   * mode. With `false` nothing listens, and readers wait for `pollMs`. Default: `pool`.
   */
  readonly listenPool?: PostgresPool | false
  /** The schema that holds the tables: lower-case letters, digits and `_`. Default: `millrace`. */
  readonly schema?: string
  /** Whether the schema is made, or brought up to date, before the first call. Default: true. */
  readonly migrate?: boolean
  /** How long a call may wait for the server before it rejects with `store_unavailable`, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
  /** How often a process that waits looks by itself, for notifications that were lost, in milliseconds. Default: 1,000. */
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
  /** Is told of what fails in the background: the removal of what has expired, idle connections, notifications. */
  readonly onWarning?: (error: MillraceError) => void
  /** Times leases and retention, for tests. Default: the clock of the Postgres server. */
  readonly clock?: Clock
}

export interface Settings {
  readonly pool: PostgresPool
  readonly listenPool: PostgresPool | undefined
  readonly schema: string
  readonly migrate: boolean
  readonly timeoutMs: number
  readonly pollMs: number
  readonly retention: Required<NonNullable<PostgresStoresOptions['retention']>>
  readonly limits: Required<NonNullable<PostgresStoresOptions['limits']>>
  readonly onWarning: (error: MillraceError) => void
  /** The time for the functions in SQL; null where they ask the server. */
  readonly now: () => number | null
}

const aPool = withMethods('query', 'connect', 'on', 'removeListener')

const rules = {
  pool: aPool,
  listenPool: (value: unknown, path: string): void => {
    if (value !== false) aPool(value, path)
  },
  schema: rule(
    (value) => typeof value === 'string' && /^[a-z_][a-z0-9_]{0,62}$/.test(value),
    'must be a name of lower-case letters, digits and _',
  ),
  migrate: aBoolean,
  timeoutMs: aDelay(),
  pollMs: aDelay(),
  retention: anObject({ eventsMs: aCount(1), recordMs: aCount(1), sessionMs: aCount(1) }),
  limits: anObject({ runBytes: aCount(1), sessionBytes: aCount(1), valueBytes: aCount(1) }),
  onWarning: aFunction,
  clock: aClock,
}

const day = 86_400_000

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readSettings(options: PostgresStoresOptions): Settings {
  checkOptions(options, '', rules)
  const {
    pool,
    listenPool = pool,
    schema = 'millrace',
    migrate = true,
    timeoutMs = 10_000,
    pollMs = 1000,
    clock,
  } = options
  if (pool === undefined) refuse('pool', 'must be a Pool of pg')
  return {
    pool,
    listenPool: listenPool === false ? undefined : listenPool,
    schema,
    migrate,
    timeoutMs,
    pollMs,
    retention: withDefaults({ eventsMs: 3_600_000, recordMs: day, sessionMs: 30 * day }, options.retention ?? {}),
    limits: withDefaults(
      { runBytes: 33_554_432, sessionBytes: 33_554_432, valueBytes: 1_048_576 },
      options.limits ?? {},
    ),
    onWarning: options.onWarning ?? (() => {}),
    now: () => (clock === undefined ? null : Math.floor(clock.now())),
  }
}
