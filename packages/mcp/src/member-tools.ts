import { defineTool, isMillraceError, type Tool } from '@millrace/core'
import { callTool } from './call-tool.ts'
import { McpError } from './mcp-error.ts'
import type { ServerLink } from './server-link.ts'
import type { McpToolDescription, ToolListing } from './tool-list.ts'
import { assignNames } from './tool-names.ts'

/** One server of a connection, with the tools that it listed last. */
export interface Member {
  readonly name: string
  readonly trustHints: boolean
  readonly link: ServerLink
  readonly listing: ToolListing
}

export interface CallLimits {
  readonly idleTimeout: number
  readonly callTimeout: number
}

function toTool({ trustHints, link }: Member, tool: McpToolDescription, name: string, limits: CallLimits): Tool {
  const readOnly = trustHints && tool.readOnly
  return defineTool({
    name,
    description: tool.description,
    // The server validates the input itself and reports what is wrong with it.
    inputSchema: { jsonSchema: tool.inputSchema },
    readOnly,
    idempotent: trustHints && tool.idempotent,
    timeout: limits.callTimeout,
    run: (input, { signal, progress }) =>
      callTool({ link, tool: tool.name, input, readOnly, signal, progress, ...limits }),
  })
}

function skip(server: string, tool: string, reason: string, cause?: unknown): McpError {
  const message = `left out the tool "${tool}" of the MCP server "${server}": ${reason}`
  return new McpError('tool_skipped', server, message, { cause })
}

/** Returns the tools of all servers under distinct names, and a problem for each tool that cannot be used. */
export function memberTools(
  members: readonly Member[],
  limits: CallLimits,
): { readonly tools: readonly Tool[]; readonly skipped: readonly McpError[] } {
  const names = assignNames(
    members.map(({ name, listing }) => ({ server: name, tools: listing.tools.map((tool) => tool.name) })),
  )
  const tools: Tool[] = []
  const skipped: McpError[] = []
  for (const member of members) {
    for (const { name, reason } of member.listing.skipped) skipped.push(skip(member.name, name, reason))
    for (const tool of member.listing.tools) {
      try {
        tools.push(toTool(member, tool, names.get(member.name)?.get(tool.name) ?? tool.name, limits))
      } catch (cause) {
        if (!isMillraceError(cause)) throw cause
        skipped.push(skip(member.name, tool.name, cause.message, cause))
      }
    }
  }
  return { tools, skipped }
}
