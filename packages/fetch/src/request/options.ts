import { type EventBody, MillraceError, type RecoveryOptions, type Runtime } from '@millrace/core'
import {
  aBoolean,
  aCount,
  aDelay,
  aFunction,
  anything,
  checkOptions,
  guarded,
  oneOf,
  readRuntime,
  rule,
  withDefaults,
} from '@millrace/core/kit'
import { readRecovery, type RecoveryPolicy } from '@millrace/core/recovery'
import type { Fetch } from './messages-request.ts'

export interface FetchLimits {
  /** Bytes of a request that is recovered; a larger one is passed as it is. Default: 33,554,432, the API's own limit. */
  readonly requestBytes: number
  /** Bytes of an answer that are held back at most, as of one call's input. Default: 67,108,864. */
  readonly heldBytes: number
  /** Milliseconds without a byte after which a client that waits is sent a ping. Default: 15,000. */
  readonly pingInterval: number
}

/** What is known of the request that an event is of. */
export interface RequestInfo {
  readonly model: string
  /** Whether the client asked for a stream. */
  readonly stream: boolean
}

export interface FetchOptions {
  /** How a broken answer is recovered from. `retraction` has no effect: no client of the API can retract. */
  readonly recovery?: Omit<RecoveryOptions, 'retraction'>
  readonly limits?: Partial<FetchLimits>
  /**
   * Whether a request that does not stream is asked as a stream upstream, and answered in one body. Default: false. A
   * function decides for each request; it gets the request's body. One that throws says no.
   */
  readonly upgrade?: boolean | ((body: Readonly<Record<string, unknown>>) => boolean)
  /**
   * Whether requests and answers are changed where the API would refuse them otherwise: what a broken answer left in the
   * history, and ids that two calls have. Default: true.
   */
  readonly repair?: boolean
  /** `hold`: a client gets a call once its input is whole. `pass`: as it arrives; a break inside it is an error. Default: `hold`. */
  readonly toolInput?: 'hold' | 'pass'
  /** What sends the requests. Default: the platform's `fetch`, as it is when a request is made. */
  readonly fetch?: Fetch
  /** Told of each request as of a run of one turn. It may do nothing slow. Default: nobody. */
  readonly onEvent?: (event: FetchEvent, request: RequestInfo) => void
  /** Told of what was recovered from or passed unrecovered, and of an `onEvent` that threw. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
  /** Clock, randomness, ids. Default: the platform's. */
  readonly runtime?: Partial<Runtime>
}

/** An event of a request: what an agent's run of one turn would say of it, without tools and retractions. */
export type FetchEvent = EventBody & { readonly seq: number; readonly runId: string; readonly at: number }

export interface FetchSettings {
  readonly recovery: RecoveryPolicy
  readonly limits: FetchLimits
  readonly upgrades: (body: Readonly<Record<string, unknown>>) => boolean
  readonly repair: boolean
  readonly passesInput: boolean
  readonly fetch: Fetch
  readonly onEvent: FetchOptions['onEvent']
  readonly onWarning: (error: MillraceError) => void
  readonly runtime: Runtime
}

const rules = {
  recovery: anything,
  limits: anything,
  upgrade: rule(
    (value) => typeof value === 'boolean' || typeof value === 'function',
    'must be true, false or a function of the request',
  ),
  repair: aBoolean,
  toolInput: oneOf('hold', 'pass'),
  fetch: aFunction,
  onEvent: aFunction,
  onWarning: aFunction,
  runtime: anything,
}

const limitRules = { requestBytes: aCount(1), heldBytes: aCount(1), pingInterval: aDelay() }

const limitDefaults: FetchLimits = {
  requestBytes: 32 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  pingInterval: 15_000,
}

/** @throws MillraceError with the option's path and what is expected there */
export function readFetchOptions(options: FetchOptions): FetchSettings {
  checkOptions(options, '', rules)
  const { upgrade = false, repair = true, toolInput = 'hold', onEvent, onWarning } = options
  checkOptions(options.limits ?? {}, 'limits', limitRules)
  const runtime = readRuntime(options.runtime)
  // If the warning callback itself fails, nothing is left to report to.
  const warn = (error: MillraceError): void =>
    guarded(
      () => onWarning?.(error),
      () => {},
    )
  return {
    recovery: readRecovery(options.recovery, runtime),
    limits: withDefaults(limitDefaults, options.limits ?? {}),
    upgrades: (body) => {
      if (typeof upgrade === 'boolean') return upgrade
      // Anything but `true` says no, whatever its type promises. A promise that rejects is reported as well.
      let decided: unknown
      guarded(
        () => (decided = upgrade(body)),
        (cause) => warn(new MillraceError('callback_failed', 'upgrade threw an error', { cause, path: 'upgrade' })),
      )
      return decided === true
    },
    repair,
    passesInput: toolInput === 'pass',
    // Looked up for each request: test doubles and instrumentation replace the platform's.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    onEvent,
    onWarning: warn,
    runtime,
  }
}
