import { type Clock, MillraceError } from '@millrace/core'
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

/** The options of every request. Throws a MillraceError `invalid_option`. */
export function readTransport(options: RemoteOptions, clock: Clock): Transport {
  const { headers = {}, timeout = 5000, maxBytes = 1_048_576, fetch = globalThis.fetch } = options
  for (const [path, value] of Object.entries({ timeout, maxBytes })) {
    if (!(value > 0)) throw new MillraceError('invalid_option', `${path} must be a positive number`, { path })
  }
  return { headers, timeout, maxBytes, fetch, clock }
}
