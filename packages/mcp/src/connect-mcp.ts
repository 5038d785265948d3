import { systemClock, type Tool } from '@millrace/core'
import { callHook } from './hooks.ts'
import { McpError } from './mcp-error.ts'
import { checkMcpOptions, type McpOptions } from './mcp-options.ts'
import { type Member, memberTools } from './member-tools.ts'
import { serverLink } from './server-link.ts'
import type { ToolListing } from './tool-list.ts'

/** The tools of MCP servers. */
export interface McpConnection {
  /** Returns the current tools. Pass this function to `createAgent` as `tools`, so that each turn sees changes. */
  readonly tools: () => readonly Tool[]
  /** Calls `listener` after each change of the tools. Returns a function that removes it. */
  readonly onToolsChanged: (listener: () => void) => () => void
  /** Returns whether each server is connected. A server that is not keeps its tools: a call connects it again. */
  readonly connected: () => Readonly<Record<string, boolean>>
  /** Closes every connection, and ends every server that was started for one. */
  readonly close: () => Promise<void>
}

/** Reports each skipped tool once, and again only if it was usable in between. */
function skipReporter(report: (problem: McpError) => void): (skipped: readonly McpError[]) => void {
  let reported = new Set<string>()
  return (skipped) => {
    const before = reported
    reported = new Set(skipped.map(({ message }) => message))
    for (const problem of skipped) if (!before.has(problem.message)) report(problem)
  }
}

interface Followed {
  readonly options: McpOptions
  readonly report: (problem: McpError) => void
  readonly onTools: (tools: readonly Tool[], server: string) => void
}

/** Returns a member for each server, not connected. A change of one server's list passes the tools of all to `onTools`. */
function createMembers({ options, report, onTools }: Followed): Member[] {
  const { servers, connectTimeout = 30_000, clock = systemClock } = options
  const { clientInfo = { name: 'millrace', version: '1' }, idleTimeout = 60_000, callTimeout = 600_000 } = options
  const reportSkipped = skipReporter(report)
  const listings = new Map<string, ToolListing>()
  const members = Object.entries(servers).map(([name, server]): Member => {
    const onListing = (listing: ToolListing): void => {
      listings.set(name, listing)
      const { tools, skipped } = memberTools(members, { idleTimeout, callTimeout })
      reportSkipped(skipped)
      onTools(tools, name)
    }
    return {
      name,
      trustHints: server.trustHints !== false,
      link: serverLink({ name, server, clientInfo, connectTimeout, clock, onListing, onProblem: report }),
      get listing() {
        return listings.get(name) ?? { tools: [], skipped: [] }
      },
    }
  })
  return members
}

/**
 * Connects to MCP servers and returns their tools as Millrace tools. Progress becomes `tool.progress`, an interrupt
 * cancels the call, a changed list is read again, a lost connection is opened again. A call that was running when its
 * connection was lost is never repeated: the model is told that its outcome is unknown.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`; McpError `connect_failed`, `list_failed` of a required server
 */
export async function connectMcp(options: McpOptions): Promise<McpConnection> {
  checkMcpOptions(options)
  const { servers, onProblem, signal } = options
  const listeners = new Set<() => void>()
  const report = (problem: McpError): void => {
    // Nothing is left to report to when `onProblem` itself fails.
    if (onProblem !== undefined) callHook(onProblem, problem, () => {})
  }
  let tools: readonly Tool[] = []
  const members = createMembers({
    options,
    report,
    onTools(changed, server) {
      tools = changed
      for (const listener of listeners) {
        callHook(listener, undefined, (cause) =>
          report(new McpError('hook_failed', server, 'a listener of "onToolsChanged" failed', { cause })),
        )
      }
    },
  })
  const close = async (): Promise<void> => {
    listeners.clear()
    await Promise.all(members.map(({ link }) => link.close()))
  }
  const onAbort = (): void => void close()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    signal?.throwIfAborted()
    await Promise.all(
      members.map(({ name, link }) => (servers[name]?.required === false ? link.join() : link.connect())),
    )
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
      // The same function may be added twice and is then removed one at a time.
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    connected: () => Object.fromEntries(members.map(({ name, link }) => [name, link.connected])),
    close,
  }
}
