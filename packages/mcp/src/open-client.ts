import { Client } from '@modelcontextprotocol/client'
import { deliverInOrder } from './in-order.ts'
import { McpError } from './mcp-error.ts'
import { type McpServer, openTransport } from './server.ts'
import { listTools, type ToolListing } from './tool-list.ts'
import { unlessAborted } from './unless-aborted.ts'

export interface OpenOptions {
  readonly name: string
  readonly server: McpServer
  readonly clientInfo: { readonly name: string; readonly version: string }
  readonly connectTimeout: number
  readonly signal: AbortSignal
  readonly onListing: (listing: ToolListing) => void
  /** The connection ended by itself. */
  readonly onLost: (client: Client) => void
  /** A changed list could not be read. */
  readonly onTrouble: (client: Client, problem: McpError) => void
}

/** A function that lists the tools again; while it does, a further call makes it do so once more. */
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
 * Connects to a server, lists its tools, and from then on lists them again whenever the server says that they changed.
 *
 * @throws McpError `connect_failed`, `list_failed`
 */
export async function openClient(options: OpenOptions): Promise<Client> {
  const { name, server, clientInfo, connectTimeout, signal, onListing, onLost, onTrouble } = options
  const client = new Client(clientInfo)
  const limits = { timeout: connectTimeout, signal }
  const list = async (): Promise<void> => {
    try {
      onListing(await listTools(client, limits))
    } catch (cause) {
      throw new McpError('list_failed', name, `The tools of the MCP server "${name}" could not be listed`, { cause })
    }
  }
  const relist = relister(() =>
    list().catch((error: unknown) => {
      if (error instanceof McpError) onTrouble(client, error)
    }),
  )
  try {
    const transport = openTransport(server)
    // The SDK's own signal and timeout begin once the transport has started.
    await unlessAborted(client.connect(transport, limits), signal)
    deliverInOrder(transport)
    client.setNotificationHandler('notifications/tools/list_changed', relist)
    await list()
    signal.throwIfAborted()
    if (client.transport === undefined) throw new Error('It ended at once')
    client.onclose = () => onLost(client)
    return client
  } catch (cause) {
    await client.close().catch(() => {})
    if (cause instanceof McpError) throw cause
    throw new McpError('connect_failed', name, `The MCP server "${name}" could not be reached`, { cause })
  }
}
