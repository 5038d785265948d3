import type { Clock, Runtime } from '@millrace/core'
import {
  aBoolean,
  aCount,
  aDelay,
  aFunction,
  anObject,
  anything,
  aRecordOf,
  checkOptions,
  isObject,
  oneOf,
  readRuntime,
  type Rule,
  rule,
  withDefaults,
} from '@millrace/core/kit'

export interface ReconnectOptions {
  /** Failures in a row, without an event in between, before the client gives up. Default: 8. */
  readonly attempts?: number
  /** Wait before the first reconnect, in milliseconds; doubled with each failure, jittered. Default: 500. */
  readonly minDelayMs?: number
  /** The longest wait, `Retry-After` included, in milliseconds. Default: 30,000. */
  readonly maxDelayMs?: number
}

/**
 * Headers of every request, or a function that returns them for each one, so that a token can be fresh. Where it fails,
 * the request fails as `callback_failed`; a stream then tries again, as after a lost connection.
 */
export type HeaderSource = HeaderRecord | (() => HeaderRecord | Promise<HeaderRecord>)

type HeaderRecord = Readonly<Record<string, string>>

export interface ClientOptions {
  /** Where the server's handler is mounted: its `POST /runs` is at `${url}/runs`. */
  readonly url: string | URL
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch
  readonly headers?: HeaderSource
  /** Default: `sse`. */
  readonly format?: 'sse' | 'ndjson'
  /** Ask for raw content: signatures and all of `turn.finished.content`. Default: false. */
  readonly rawContent?: boolean
  readonly reconnect?: ReconnectOptions
  /**
   * How long a stream may be silent, heartbeats included, before its connection counts as lost, in milliseconds. Bounds
   * the wait for its first byte as well. Default: 45,000.
   */
  readonly idleTimeoutMs?: number
  /**
   * How long a request without a stream (`cancel`, `snapshot`) may take, from `headers()` to the last byte of its
   * answer, in milliseconds. Default: 30,000.
   */
  readonly requestTimeoutMs?: number
  /** Characters of one event, and of one answer. Default: 16,777,216. */
  readonly maxEventChars?: number
  /** Default: the system's. */
  readonly runtime?: Partial<Runtime>
}

export interface ClientSettings {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly headers: () => HeaderRecord | Promise<HeaderRecord>
  readonly format: 'sse' | 'ndjson'
  readonly rawContent: boolean
  readonly reconnect: Required<ReconnectOptions>
  readonly idleTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxEventChars: number
  readonly runtime: Runtime
  readonly clock: Clock
}

const aHeaderRecord = aRecordOf(rule((value) => typeof value === 'string', 'must be a string'))

export const clientRules: Readonly<Record<keyof ClientOptions, Rule>> = {
  url: rule(isMountPath, 'must be the path or URL that the handler is mounted at, without a query'),
  fetch: aFunction,
  headers: (value, path) => typeof value === 'function' || aHeaderRecord(value, path),
  format: oneOf('sse', 'ndjson'),
  rawContent: aBoolean,
  reconnect: anObject({ attempts: aCount(0), minDelayMs: aDelay(0), maxDelayMs: aDelay(0) }),
  idleTimeoutMs: aDelay(),
  requestTimeoutMs: aDelay(),
  maxEventChars: aCount(1),
  // `readRuntime` checks it.
  runtime: anything,
}

const defaultReconnect: Required<ReconnectOptions> = { attempts: 8, minDelayMs: 500, maxDelayMs: 30_000 }

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readClientOptions(options: ClientOptions): ClientSettings {
  checkOptions(options, '', clientRules)
  // The only option that must be there.
  clientRules.url(options.url, 'url')
  const {
    headers = {},
    format = 'sse',
    rawContent = false,
    idleTimeoutMs = 45_000,
    requestTimeoutMs = 30_000,
    maxEventChars = 16_777_216,
  } = options
  const runtime = readRuntime(options.runtime)
  return {
    url: String(options.url).replace(/\/+$/, ''),
    // Called as a bare function, because browsers reject `fetch` with another `this`.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    headers: typeof headers === 'function' ? headers : () => headers,
    format,
    rawContent,
    reconnect: withDefaults(defaultReconnect, options.reconnect ?? {}),
    idleTimeoutMs,
    requestTimeoutMs,
    maxEventChars,
    runtime,
    clock: runtime.clock,
  }
}

function isMountPath(value: unknown): boolean {
  const text: unknown = isObject(value) ? Reflect.get(value, 'href') : value
  return typeof text === 'string' && /^[^?#]+$/.test(text)
}
