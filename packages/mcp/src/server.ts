import { StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client'

interface Behaviour {
  /** Whether `readOnlyHint` and `idempotentHint` of this server are believed. Default: true. */
  readonly trustHints?: boolean
  /** False: a server that cannot be reached is reported, and tried again, instead of failing `connectMcp`. Default: true. */
  readonly required?: boolean
}

/** A server spoken to over streamable HTTP. */
export interface McpHttpServer extends Behaviour {
  readonly url: string | URL
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly fetch?: (url: string | URL, init?: RequestInit) => Promise<Response>
}

/** A server spoken to over anything that the SDK has a transport for; `stdio()` gives one. */
export interface McpTransportServer extends Behaviour {
  /** Called for each connection, also again after one was lost. */
  readonly transport: () => Transport
}

export type McpServer = McpHttpServer | McpTransportServer

/** A transport to `server`, not yet started. */
export function openTransport(server: McpServer): Transport {
  if ('transport' in server) return server.transport()
  const { url, headers, fetch } = server
  return new StreamableHTTPClientTransport(new URL(url), {
    ...(headers === undefined ? {} : { requestInit: { headers: { ...headers } } }),
    ...(fetch === undefined ? {} : { fetch }),
  })
}
