import { Client } from '@modelcontextprotocol/client'
import { deliverInOrder } from './in-order.ts'
import { McpError } from './mcp-error.ts'
import { type McpServer, openTransport } from './server.ts'
import { listTools, type ToolListing } from './tool-list.ts'
import { unlessAborted } from './unless-aborted.ts'

export interface OpenOptions {
  /** The name of the server in `servers`. */
  readonly name: string
  readonly server: McpServer
  readonly clientInfo: { readonly name: string; readonly version: string }
  /** Milliseconds for connecting, and for listing tools. */
  readonly connectTimeout: number
  readonly signal: AbortSignal
  /** Receives the tools of the server, after connecting and after each change. */
  readonly onListing: (listing: ToolListing) => void
  /** Called when the connection ends without being closed from this side. */
  readonly onLost: (client: Client) => void
  /** Receives the problem when a changed list cannot be read. */
  readonly onTrouble: (client: Client, problem: McpError) => void
  /** Receives the problem when a hook of the application fails. */
  readonly onProblem: (problem: McpError) => void
}

/** Returns a function that runs `list`. Calls during a run cause one more run after it. */
function relister(list: () => Promise<void>): () => void {
  let running = false
  let again = false
  const follow = async (): Promise<void> => {
    again = running
    if (running) return
    running = true
    do {
      again = false
      await list()
    } while (again)
    running = false
  }
  return () => void follow()
}

/**
 * Connects to a server and lists its tools. Lists them again whenever the server reports a change.
 *
 * @throws McpError `connect_failed`, `list_failed`
 */
export async function openClient(options: OpenOptions): Promise<Client> {
  const { name, server, clientInfo, connectTimeout, signal, onListing, onLost, onTrouble, onProblem } = options
  const client = new Client(clientInfo)
  const limits = { timeout: connectTimeout, signal }
  const list = async (): Promise<void> => {
    try {
      onListing(await listTools(client, limits))
    } catch (cause) {
      throw new McpError('list_failed', name, `could not list the tools of the MCP server "${name}"`, { cause })
    }
  }
  const relist = relister(() =>
    list().catch((error: unknown) => {
      if (error instanceof McpError) onTrouble(client, error)
    }),
  )
  const onHookFailed = (hook: string, cause: unknown): void => {
    onProblem(new McpError('hook_failed', name, `"${hook}" of the MCP server "${name}" failed`, { cause }))
  }
  try {
    signal.throwIfAborted()
    const transport = openTransport(server, onHookFailed)
    // The SDK observes the signal and the timeout only after the transport has started.
    await unlessAborted(client.connect(transport, limits), signal)
    deliverInOrder(transport)
    // A change during the first listing waits for its end. If two listings ran at once, the older answer could arrive last.
    let changed = false
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      changed = true
    })
    await list()
    signal.throwIfAborted()
    if (client.transport === undefined) throw new Error('the connection ended at once')
    client.setNotificationHandler('notifications/tools/list_changed', relist)
    if (changed) relist()
    client.onclose = () => onLost(client)
    return client
  } catch (cause) {
    await client.close().catch(() => {})
    if (cause instanceof McpError) throw cause
    throw new McpError('connect_failed', name, `could not reach the MCP server "${name}"`, { cause })
  }
}
