import type { Clock } from '@millrace/core'
import {
  aClock,
  aCount,
  aDelay,
  aFunction,
  anAge,
  aRecordOf,
  aText,
  optional,
  type OptionRule,
  type OptionRules,
  ruleOf,
  withMethods,
} from '@millrace/flags/options'
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

const aHeaderRecord = aRecordOf(ruleOf((value) => typeof value === 'string', 'a string'))

/** The rules of what both can be told. */
export const remoteRules: OptionRules<RemoteOptions> = {
  headers: optional((value, path) => (typeof value === 'function' ? undefined : aHeaderRecord(value, path))),
  name: optional(aText),
  poll: optional(aDelay),
  timeout: optional(aDelay),
  maxAge: optional(anAge),
  maxBytes: optional(aCount),
  lastKnownGood: optional(withMethods('load', 'save')),
  fetch: optional(aFunction),
  clock: optional(aClock),
  random: optional(aFunction),
}

/** What it names is looked at by `readAddress`. */
export const anAddress: OptionRule = ruleOf(
  (value) => typeof value === 'string' || value instanceof URL,
  'an http or https address',
)

/** The options of every request. */
export function readTransport(options: RemoteOptions, clock: Clock): Transport {
  const { headers = {}, timeout = 5000, maxBytes = 1_048_576, fetch = globalThis.fetch } = options
  return { headers, timeout, maxBytes, fetch, clock }
}
