import { type Clock, MillraceError, type Runtime, systemRuntime } from '@millrace/core'

export interface ReconnectOptions {
  /** Failures in a row, without an event in between, before it is given up. Default: 8. */
  readonly attempts?: number
  /** Wait before the first reconnect, in milliseconds; doubled with each failure, jittered. Default: 500. */
  readonly minDelayMs?: number
  /** The longest wait, `Retry-After` included, in milliseconds. Default: 30,000. */
  readonly maxDelayMs?: number
}

/** Headers of every request, or what gives them for each, so that a token can be fresh. */
export type HeaderSource = Readonly<Record<string, string>> | (() => HeaderRecord | Promise<HeaderRecord>)

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
  /** Silence, heartbeats included, after which a connection counts as lost, in milliseconds. Default: 45,000. */
  readonly idleTimeoutMs?: number
  /** Characters of one event. Default: 16,777,216. */
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
  readonly attempts: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly idleTimeoutMs: number
  readonly maxEventChars: number
  readonly runtime: Runtime
  readonly clock: Clock
}

const known: ReadonlySet<string> = new Set<keyof ClientOptions>([
  'fetch',
  'format',
  'headers',
  'idleTimeoutMs',
  'maxEventChars',
  'rawContent',
  'reconnect',
  'runtime',
  'url',
])

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readClientOptions(options: ClientOptions): ClientSettings {
  const unknown = Object.keys(options).find((name) => !known.has(name))
  if (unknown !== undefined)
    throw new MillraceError('unknown_option', `there is no option "${unknown}"`, { path: unknown })
  const {
    headers = {},
    format = 'sse',
    rawContent = false,
    idleTimeoutMs = 45_000,
    maxEventChars = 16_777_216,
  } = options
  const { attempts = 8, minDelayMs = 500, maxDelayMs = 30_000 } = options.reconnect ?? {}
  const numbers = {
    'reconnect.attempts': attempts,
    'reconnect.minDelayMs': minDelayMs,
    'reconnect.maxDelayMs': maxDelayMs,
  }
  for (const [path, value] of Object.entries({ ...numbers, idleTimeoutMs, maxEventChars })) {
    if (!(value >= 0)) throw new MillraceError('invalid_option', `${path} must be a number from 0`, { path })
  }
  const runtime = { ...systemRuntime, ...options.runtime }
  return {
    url: readUrl(options.url),
    // Called as a bare function: browsers refuse `fetch` with another `this`.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    headers: typeof headers === 'function' ? headers : () => headers,
    format,
    rawContent,
    attempts,
    minDelayMs,
    maxDelayMs,
    idleTimeoutMs,
    maxEventChars,
    runtime,
    clock: runtime.clock,
  }
}

function readUrl(url: string | URL): string {
  const text = String(url)
  if (text === '' || /[?#]/.test(text)) {
    throw new MillraceError('invalid_option', 'url must be the path that the handler is mounted at, without a query', {
      path: 'url',
    })
  }
  return text.replace(/\/+$/, '')
}
