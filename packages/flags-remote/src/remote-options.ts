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

/** The options of both remote sources. */
export interface RemoteOptions {
  /** Headers of every request, such as `authorization`. Never logged. */
  readonly headers?: RequestHeaders
  /** Shown in descriptions and errors, which never contain the address. */
  readonly name?: string
  /** Milliseconds between requests, with a jitter of 10 %. Failures are retried sooner, with backoff. Default: 30,000. */
  readonly poll?: number
  /** The longest that a whole answer may take, headers and body, in milliseconds. Default: 5,000. */
  readonly timeout?: number
  /** Milliseconds without a good answer after which flags are stale. Default: 120,000. */
  readonly maxAge?: number
  /** Larger answers are refused. Default: 1,048,576. */
  readonly maxBytes?: number
  /** Stores the last good answer: `diskCache(path)` of `@millrace/flags-remote/node`, or your own. Default: none. */
  readonly lastKnownGood?: LastKnownGood
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch
  readonly clock?: Clock
  /** Returns a number in [0, 1), for jitter. */
  readonly random?: () => number
}

const aHeaderRecord = aRecordOf(rule((value) => typeof value === 'string', 'must be a string'))

/** The rules of the options of both. */
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

/** Accepts an address. `readAddress` checks it further. */
export const anAddress: Rule = rule(
  (value) => typeof value === 'string' || value instanceof URL,
  'must be an http or https address',
)

/** Returns how requests are made. */
export function readTransport(options: RemoteOptions, clock: Clock): Transport {
  const { headers = {}, timeout = 5000, maxBytes = 1_048_576, fetch = globalThis.fetch } = options
  return { headers, timeout, maxBytes, fetch, clock }
}
