import { type Clock, type MillraceError, systemClock } from '@millrace/core'
import {
  aClock,
  aCount,
  aDelay,
  aFunction,
  anId,
  anObject,
  checkOptions,
  oneOf,
  refuse,
  withDefaults,
} from '@millrace/core/kit'

export interface SqliteStoresOptions {
  /** The database file. It is made where it does not exist; its folder must exist, on a local disk. */
  readonly path: string
  /**
   * What a confirmed write survives: with `full` a power cut too, with `normal` the death of the process, without waiting
   * for the disk. Default: `full`.
   */
  readonly synchronous?: 'full' | 'normal'
  /** How long a write may wait for another process's lock before it rejects, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
  /** How often a waiting reader looks for what other processes wrote, in milliseconds. Default: 50. */
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
    /** Bytes of the database file. Default: what the disk holds. */
    readonly fileBytes?: number
  }
  /** Is told of what fails in the background: the removal of what has expired. */
  readonly onWarning?: (error: MillraceError) => void
  /** Times leases and retention, for tests. Default: the system's. */
  readonly clock?: Clock
}

export interface Settings {
  readonly path: string
  readonly synchronous: 'full' | 'normal'
  readonly timeoutMs: number
  readonly pollMs: number
  readonly retention: Required<NonNullable<SqliteStoresOptions['retention']>>
  readonly limits: Required<Omit<NonNullable<SqliteStoresOptions['limits']>, 'fileBytes'>>
  readonly fileBytes: number | undefined
  readonly onWarning: (error: MillraceError) => void
  readonly clock: Clock
}

const rules = {
  path: anId,
  synchronous: oneOf('full', 'normal'),
  timeoutMs: aDelay(),
  pollMs: aDelay(),
  retention: anObject({ eventsMs: aCount(1), recordMs: aCount(1), sessionMs: aCount(1) }),
  limits: anObject({ runBytes: aCount(1), sessionBytes: aCount(1), valueBytes: aCount(1), fileBytes: aCount(65_536) }),
  onWarning: aFunction,
  clock: aClock,
}

const day = 86_400_000

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readSettings(options: SqliteStoresOptions): Settings {
  checkOptions(options, '', rules)
  const { path, synchronous = 'full', timeoutMs = 10_000, pollMs = 50, clock = systemClock } = options
  if (path === undefined) refuse('path', 'must be the path of the database file')
  const { fileBytes, ...limits } = options.limits ?? {}
  return {
    path,
    synchronous,
    timeoutMs,
    pollMs,
    retention: withDefaults({ eventsMs: 3_600_000, recordMs: day, sessionMs: 30 * day }, options.retention ?? {}),
    limits: withDefaults({ runBytes: 33_554_432, sessionBytes: 33_554_432, valueBytes: 1_048_576 }, limits),
    fileBytes,
    onWarning: options.onWarning ?? (() => {}),
    clock,
  }
}
