import { StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client'

interface Behaviour {
  /** Whether to believe this server's `readOnlyHint` and `idempotentHint`. Default: true. */
  readonly trustHints?: boolean
  /**
   * Whether `connectMcp` fails when the server cannot be reached. If false, the failure is reported and the connection
   * is tried again. Default: true.
   */
  readonly required?: boolean
}

/** A server reached over streamable HTTP. */
export interface McpHttpServer extends Behaviour {
  readonly url: string | URL
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly fetch?: (url: string | URL, init?: RequestInit) => Promise<Response>
}

/** Reports that a hook of the application, such as `onStderr`, threw an error or rejected. */
export type HookFailed = (hook: string, cause: unknown) => void

/** A server reached over any transport of the SDK. `stdio()` returns one. */
export interface McpTransportServer extends Behaviour {
  /** Returns a transport that is not started. Called once per connection, also after a connection was lost. */
  readonly transport: (onHookFailed: HookFailed) => Transport
}

export type McpServer = McpHttpServer | McpTransportServer

/** Returns a transport to `server` that is not started. */
export function openTransport(server: McpServer, onHookFailed: HookFailed): Transport {
  if ('transport' in server) return server.transport(onHookFailed)
  const { url, headers, fetch } = server
  return new StreamableHTTPClientTransport(new URL(url), {
    ...(headers === undefined ? {} : { requestInit: { headers: { ...headers } } }),
    ...(fetch === undefined ? {} : { fetch }),
  })
}
