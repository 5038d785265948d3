/**
 * What went wrong:
 * - `connect_failed`: the server cannot be reached
 * - `list_failed`: its tools could not be listed
 * - `tool_skipped`: one of its tools cannot be used and is left out
 * - `connection_lost`: the connection ended; it is opened again
 * - `hook_failed`: `onStderr` or a listener of `onToolsChanged` threw an error or rejected
 */
export type McpErrorCode = 'connect_failed' | 'list_failed' | 'tool_skipped' | 'connection_lost' | 'hook_failed'

/** A problem with an MCP server. */
export class McpError extends Error {
  override readonly name: string = 'McpError'
  readonly code: McpErrorCode
  /** The name of the server in `servers`. */
  readonly server: string

  constructor(code: McpErrorCode, server: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.server = server
  }
}

/** Whether `error` is an {@link McpError}, also from another copy of the package. */
export function isMcpError(error: unknown): error is McpError {
  return error instanceof Error && error.name === 'McpError' && 'code' in error && 'server' in error
}
