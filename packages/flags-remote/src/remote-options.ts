import type { Clock } from '@millrace/core'
import {
  aClock,
  aCount,
  aDelay,
  aDuration,
  aFunction,
  anId,
  aRecordOf,
  type Rule,
  rule,
  withMethods,
} from '@millrace/core/kit'
import type { RequestHeaders, Transport } from './fetch-text.ts'
import type { LastKnownGood } from './last-known-good.ts'

/** What both remote sources can be told. */
export interface RemoteOptions {
  /** Sent with every request, such as `authorization`. Never logged. */
  readonly headers?: RequestHeaders
  /** Shown in descriptions and errors, where the address is not. */
  readonly name?: string
  /** Milliseconds between questions; jittered by a tenth. Failures are retried sooner, with backoff. Default: 30,000. */
  readonly poll?: number
  /** Milliseconds for a whole answer, headers and body. Default: 5,000. */
  readonly timeout?: number
  /** Milliseconds without a good answer after which flags are stale. Default: 120,000. */
  readonly maxAge?: number
  /** Larger answers are refused. Default: 1,048,576. */
  readonly maxBytes?: number
  /** Such as `diskCache(path)` of `@millrace/flags-remote/node`. Default: none. */
  readonly lastKnownGood?: LastKnownGood
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch
  readonly clock?: Clock
  /** A number in [0, 1), for jitter. */
  readonly random?: () => number
}

const aHeaderRecord = aRecordOf(rule((value) => typeof value === 'string', 'must be a string'))

/** The rules of what both can be told. */
export const remoteRules: Readonly<Record<keyof RemoteOptions, Rule>> = {
  headers: (value, path) => (typeof value === 'function' ? undefined : aHeaderRecord(value, path)),
  name: anId,
  poll: aDelay(),
  timeout: aDelay(),
  maxAge: aDuration,
  maxBytes: aCount(1),
  lastKnownGood: withMethods('load', 'save'),
  fetch: aFunction,
  clock: aClock,
  random: aFunction,
}

/** What it names is looked at by `readAddress`. */
export const anAddress: Rule = rule(
  (value) => typeof value === 'string' || value instanceof URL,
  'must be an http or https address',
)

/** The options of every request. */
export function readTransport(options: RemoteOptions, clock: Clock): Transport {
  const { headers = {}, timeout = 5000, maxBytes = 1_048_576, fetch = globalThis.fetch } = options
  return { headers, timeout, maxBytes, fetch, clock }
}
