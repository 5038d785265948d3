import type { Clock } from '@millrace/core'
import {
  aBoolean,
  aClock,
  aDelay,
  aFunction,
  anId,
  anObject,
  aRecordOf,
  aSignal,
  checkOptions,
  isRecord,
  refuse,
  type Rule,
  rule,
} from '@millrace/core/kit'
import type { McpError } from './mcp-error.ts'
import type { McpServer } from './server.ts'

export interface McpOptions {
  /** The servers by name: 1 to 32 of `a-z A-Z 0-9 _ -`. The name becomes the prefix of tools that two servers have. */
  readonly servers: Readonly<Record<string, McpServer>>
  /** Milliseconds for connecting, and for listing tools. Default: 30,000. */
  readonly connectTimeout?: number
  /** Milliseconds without progress after which a call fails. Default: 60,000. */
  readonly idleTimeout?: number
  /** Milliseconds after which a call fails, with or without progress. Default: 600,000. */
  readonly callTimeout?: number
  /** Receives problems that `connectMcp` does not throw: see {@link McpErrorCode}. */
  readonly onProblem?: (problem: McpError) => void
  /** The name and version that servers see. Default: `{ name: 'millrace', version: '1' }`. */
  readonly clientInfo?: { readonly name: string; readonly version: string }
  /** Stops connecting when it aborts. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

const behaviour = { trustHints: aBoolean, required: aBoolean }

const httpServer = anObject({
  url: rule((value) => URL.canParse(String(value)), 'must be a URL'),
  headers: aRecordOf(rule((value) => typeof value === 'string', 'must be a string')),
  fetch: aFunction,
  ...behaviour,
})

const server: Rule = (value, path) => {
  if (!isRecord(value)) refuse(path, 'must be { url } or stdio({ command })')
  if (value['url'] !== undefined) return httpServer(value, path)
  if ('command' in value) refuse(path, 'must be stdio({ command }); import it from "@millrace/mcp/stdio"')
  if (typeof value['transport'] !== 'function') refuse(path, 'must have a url or a transport')
  // A transport server may be an object of the application with further fields.
  for (const [key, check] of Object.entries(behaviour)) {
    if (value[key] !== undefined) check(value[key], `${path}.${key}`)
  }
}

const servers: Rule = (value, path) => {
  aRecordOf((given, at) => {
    if (!/^[a-zA-Z0-9_-]{1,32}$/.test(at.slice(path.length + 1))) {
      refuse(at, 'must be named with 1 to 32 letters, digits, "_" or "-"')
    }
    server(given, at)
  })(value, path)
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function checkMcpOptions(options: McpOptions): void {
  checkOptions(options, '', {
    servers,
    connectTimeout: aDelay(),
    idleTimeout: aDelay(),
    callTimeout: aDelay(),
    onProblem: aFunction,
    clientInfo: anObject({ name: anId, version: anId }),
    signal: aSignal,
    clock: aClock,
  })
  if (options.servers === undefined) refuse('servers', 'is missing')
}
