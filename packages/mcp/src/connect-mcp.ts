import { type Clock, defineTool, isMillraceError, MillraceError, systemClock, type Tool } from '@millrace/core'
import { isRecord } from './json.ts'
import { McpError } from './mcp-error.ts'
import { callTool } from './call-tool.ts'
import type { McpServer } from './server.ts'
import { type ServerLink, serverLink } from './server-link.ts'
import type { McpToolDescription, ToolListing } from './tool-list.ts'
import { assignNames } from './tool-names.ts'

export interface McpOptions {
  /** The servers, by a name of 1 to 32 of `a-z A-Z 0-9 _ -`, which prefixes tools that two servers have. */
  readonly servers: Readonly<Record<string, McpServer>>
  /** Milliseconds for connecting, and for listing tools. Default: 30,000. */
  readonly connectTimeout?: number
  /** Milliseconds that a call may take without progress; each progress starts them anew. Default: 60,000. */
  readonly idleTimeout?: number
  /** Milliseconds that a call may take in all. Default: 600,000. */
  readonly callTimeout?: number
  /** Told of tools left out, of lost connections, and of servers that are not `required` and cannot be reached. */
  readonly onProblem?: (problem: McpError) => void
  /** How we introduce ourselves. Default: `{ name: 'millrace', version: '1' }`. */
  readonly clientInfo?: { readonly name: string; readonly version: string }
  /** Gives up connecting when it aborts. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/** Tools of MCP servers. */
export interface McpConnection {
  /** The tools as they are now. Give this function to `createAgent` as `tools`, and changes are followed. */
  readonly tools: () => readonly Tool[]
  /** Calls `listener` after each change of the tools, until the function that it gives is called. */
  readonly onToolsChanged: (listener: () => void) => () => void
  /** Whether each server is connected. The tools of one that is not stay listed: a call connects it again. */
  readonly connected: () => Readonly<Record<string, boolean>>
  /** Ends every connection, and every server that was started for one. */
  readonly close: () => Promise<void>
}

const known = ['callTimeout', 'clientInfo', 'clock', 'connectTimeout', 'idleTimeout', 'onProblem', 'servers', 'signal']

function refuse(path: string, problem: string): never {
  throw new MillraceError('invalid_option', `connectMcp: ${path} ${problem}`, { path })
}

function checkOptions(options: McpOptions): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    throw new MillraceError('unknown_option', `connectMcp: "${key}" is no option; known are ${known.join(', ')}`, {
      path: key,
    })
  }
  const { servers, connectTimeout = 1, idleTimeout = 1, callTimeout = 1 } = options
  for (const [path, value] of Object.entries({ connectTimeout, idleTimeout, callTimeout })) {
    if (!(typeof value === 'number' && value > 0 && value <= 2 ** 31 - 1))
      refuse(path, 'must be a number of milliseconds, from 1 to 2147483647')
  }
  if (!isRecord(servers)) refuse('servers', 'must be an object of name to server')
  for (const [name, server] of Object.entries<unknown>(servers)) {
    const path = `servers.${name}`
    if (!/^[a-zA-Z0-9_-]{1,32}$/.test(name)) refuse(path, 'must be named with 1 to 32 letters, digits, "_" or "-"')
    if (!isRecord(server)) refuse(path, 'must be { url } or stdio({ command })')
    const overHttp = server['url'] !== undefined
    if (overHttp && !URL.canParse(String(server['url']))) refuse(`${path}.url`, 'must be a URL')
    if (!overHttp && typeof server['transport'] !== 'function') {
      refuse(
        path,
        `must have a url or a transport${'command' in server ? '; give stdio({ command }) of @millrace/mcp/stdio' : ''}`,
      )
    }
  }
}

/** One server's share of the tools. */
interface Member {
  readonly name: string
  readonly server: McpServer
  readonly link: ServerLink
  listing: ToolListing
}

interface CallLimits {
  readonly idleTimeout: number
  readonly callTimeout: number
}

function toTool({ server, link }: Member, tool: McpToolDescription, name: string, limits: CallLimits): Tool {
  const trusted = server.trustHints !== false
  const readOnly = trusted && tool.readOnly
  return defineTool({
    name,
    description: tool.description,
    // The server validates the input itself, and says what is wrong with it.
    inputSchema: { jsonSchema: tool.inputSchema },
    readOnly,
    idempotent: trusted && tool.idempotent,
    timeout: limits.callTimeout,
    run: (input, { signal, progress }) =>
      callTool({ link, tool: tool.name, input, readOnly, signal, progress, ...limits }),
  })
}

/** Calls each function; what one throws is no concern of the others. */
function tell<T>(listeners: Iterable<(value: T) => void>, value: T): void {
  for (const listener of listeners) {
    try {
      listener(value)
    } catch {
      // A bystander.
    }
  }
}

function skipped(server: string, tool: string, reason: string, cause?: unknown): McpError {
  const message = `The tool "${tool}" of the MCP server "${server}" was left out: ${reason}`
  return new McpError('tool_skipped', server, message, { cause })
}

function startMembers(options: McpOptions, report: (problem: McpError) => void, changed: () => void): Member[] {
  const { servers, connectTimeout = 30_000, clock = systemClock } = options
  const { clientInfo = { name: 'millrace', version: '1' } } = options
  return Object.entries(servers).map(([name, server]) => {
    const onListing = (listing: ToolListing): void => {
      member.listing = listing
      for (const { name: tool, reason } of listing.skipped) report(skipped(name, tool, reason))
      changed()
    }
    const link = serverLink({ name, server, clientInfo, connectTimeout, clock, onListing, onProblem: report })
    const member: Member = { name, server, link, listing: { tools: [], skipped: [] } }
    return member
  })
}

/** Every member's tools, under names that differ. */
function toTools(members: readonly Member[], limits: CallLimits, report: (problem: McpError) => void): Tool[] {
  const names = assignNames(
    members.map(({ name, listing }) => ({ server: name, tools: listing.tools.map((tool) => tool.name) })),
  )
  return members.flatMap((member) =>
    member.listing.tools.flatMap((tool) => {
      try {
        return [toTool(member, tool, names.get(member.name)?.get(tool.name) ?? tool.name, limits)]
      } catch (cause) {
        if (!isMillraceError(cause)) throw cause
        report(skipped(member.name, tool.name, cause.message, cause))
        return []
      }
    }),
  )
}

/** Connects every member. @throws McpError of a required one */
async function connectAll(members: readonly Member[], report: (problem: McpError) => void): Promise<void> {
  await Promise.all(
    members.map(async ({ server, link }) => {
      try {
        await link.connect()
      } catch (error) {
        if (server.required !== false || !(error instanceof McpError)) throw error
        report(error)
        link.retry()
      }
    }),
  )
}

/**
 * Connects to MCP servers and gives their tools as tools of ours: their progress becomes `tool.progress`, an interrupted
 * run cancels the call, a list that changes is followed, a connection that is lost is made again. A call that was under
 * way is never repeated: the model is told that its outcome is unknown.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`; McpError `connect_failed`, `list_failed` of a required server
 */
export async function connectMcp(options: McpOptions): Promise<McpConnection> {
  checkOptions(options)
  const { onProblem, signal, idleTimeout = 60_000, callTimeout = 600_000 } = options
  const listeners = new Set<(value: undefined) => void>()
  const report = (problem: McpError): void => tell(onProblem === undefined ? [] : [onProblem], problem)
  let tools: readonly Tool[] = []
  const members = startMembers(options, report, () => {
    tools = toTools(members, { idleTimeout, callTimeout }, report)
    tell(listeners, undefined)
  })
  const close = async (): Promise<void> => {
    listeners.clear()
    await Promise.all(members.map(({ link }) => link.close()))
  }
  const onAbort = (): void => void close()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    signal?.throwIfAborted()
    await connectAll(members, report)
    signal?.throwIfAborted()
  } catch (error) {
    await close()
    throw signal?.aborted ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
  return {
    tools: () => tools,
    onToolsChanged(listener) {
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    connected: () => Object.fromEntries(members.map(({ name, link }) => [name, link.connected])),
    close,
  }
}
