import type { Client } from '@modelcontextprotocol/client'
import type { Clock } from '@millrace/core'
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
  /** The tools are known, anew or for the first time. */
  readonly onListing: (listing: ToolListing) => void
  readonly onProblem: (problem: McpError) => void
}

/** The connection to one server, made again when it is lost. */
export interface ServerLink {
  readonly connected: boolean
  /** The connection there is, or a fresh one. @throws McpError `connect_failed`, `list_failed` */
  readonly connect: () => Promise<Client>
  /** Tries again later, and goes on trying. */
  readonly retry: () => void
  /** Ends a connection that has failed, where it still is the one in use. */
  readonly drop: (client: Client) => void
  readonly close: () => Promise<void>
}

function ignore(): void {}

export function serverLink(options: LinkOptions): ServerLink {
  const { name, clock, onProblem } = options
  const life = new AbortController()
  const backoff = createBackoff(clock)
  let client: Client | undefined
  let connecting: Promise<Client> | undefined

  const onLost = (lost: Client): void => {
    if (lost !== client) return
    client = undefined
    onProblem(new McpError('connection_lost', name, `The connection to the MCP server "${name}" was lost`))
    retry()
  }
  // Of a connection that is no longer in use nobody needs to hear.
  const onTrouble = (from: Client, problem: McpError): void => {
    if (from === client) onProblem(problem)
  }

  async function open(): Promise<Client> {
    const fresh = await openClient({ ...options, signal: life.signal, onLost, onTrouble })
    client = fresh
    backoff.reset()
    return fresh
  }

  function connect(): Promise<Client> {
    if (client !== undefined) return Promise.resolve(client)
    connecting ??= open().finally(() => {
      connecting = undefined
    })
    return connecting
  }

  function retry(): void {
    if (life.signal.aborted) return
    backoff.schedule(() => {
      connect().catch((error: unknown) => {
        if (error instanceof McpError && !life.signal.aborted) onProblem(error)
        retry()
      })
    })
  }

  return {
    get connected() {
      return client !== undefined
    },
    connect,
    retry,
    drop(failed) {
      if (failed === client) void failed.close().catch(ignore)
    },
    async close() {
      life.abort(new McpError('connection_lost', name, 'The connection is closed'))
      backoff.reset()
      const open = client
      client = undefined
      await Promise.allSettled([connecting, open?.close()])
    },
  }
}
