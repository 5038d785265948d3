import type { Clock } from '@millrace/core'
import type { Client } from '@modelcontextprotocol/client'
import { createBackoff } from './backoff.ts'
import { McpError } from './mcp-error.ts'
import { openClient } from './open-client.ts'
import type { McpServer } from './server.ts'
import type { ToolListing } from './tool-list.ts'

export interface LinkOptions {
  readonly name: string
  readonly server: McpServer
  readonly clientInfo: { readonly name: string; readonly version: string }
  /** Milliseconds for connecting, and for listing tools. */
  readonly connectTimeout: number
  readonly clock: Clock
  /** Receives the tools of the server, after connecting and after each change. */
  readonly onListing: (listing: ToolListing) => void
  readonly onProblem: (problem: McpError) => void
}

/** The connection to one server. It is opened again after it was lost. */
export interface ServerLink {
  readonly connected: boolean
  /** Returns the open connection, or opens one. @throws McpError `connect_failed`, `list_failed` */
  readonly connect: () => Promise<Client>
  /** Connects. A failure is reported, and tried again later until the link is closed. Never rejects. */
  readonly join: () => Promise<void>
  /** Closes a connection that has failed, if it is still the one in use. */
  readonly drop: (client: Client) => void
  readonly close: () => Promise<void>
}

export function serverLink(options: LinkOptions): ServerLink {
  const { name, clock, onProblem } = options
  const life = new AbortController()
  const backoff = createBackoff(clock)
  let client: Client | undefined
  let connecting: Promise<Client> | undefined

  const onLost = (lost: Client): void => {
    if (lost !== client) return
    client = undefined
    if (life.signal.aborted) return
    onProblem(new McpError('connection_lost', name, `lost the connection to the MCP server "${name}"`))
    joinLater()
  }
  const onTrouble = (from: Client, problem: McpError): void => {
    // Problems of a connection that was replaced or closed are not reported.
    if (from === client) onProblem(problem)
  }

  async function open(): Promise<Client> {
    client = await openClient({ ...options, signal: life.signal, onLost, onTrouble })
    backoff.reset()
    return client
  }

  function connect(): Promise<Client> {
    if (client !== undefined) return Promise.resolve(client)
    connecting ??= open().finally(() => {
      connecting = undefined
    })
    return connecting
  }

  async function join(): Promise<void> {
    try {
      await connect()
    } catch (error) {
      if (life.signal.aborted) return
      if (error instanceof McpError) onProblem(error)
      joinLater()
    }
  }

  function joinLater(): void {
    backoff.schedule(() => void join())
  }

  return {
    get connected() {
      return client !== undefined
    },
    connect,
    join,
    drop(failed) {
      if (failed === client) void failed.close().catch(() => {})
    },
    async close() {
      life.abort(new McpError('connection_lost', name, `the connection to the MCP server "${name}" is closed`))
      backoff.reset()
      // A connection that was opened in the same moment is closed as well.
      await Promise.allSettled([connecting])
      const open = client
      client = undefined
      await open?.close().catch(() => {})
    },
  }
}
