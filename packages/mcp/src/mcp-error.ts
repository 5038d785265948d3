/** What went wrong with an MCP server. */
export type McpErrorCode = 'connect_failed' | 'list_failed' | 'tool_skipped' | 'connection_lost'

/** An MCP server that cannot be reached, or that sent what cannot be used. */
export class McpError extends Error {
  override readonly name: string = 'McpError'
  readonly code: McpErrorCode
  /** The server's name, as it was configured. */
  readonly server: string

  constructor(code: McpErrorCode, server: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.server = server
  }
}

/** Whether `error` is an {@link McpError}, from any copy of the package. */
export function isMcpError(error: unknown): error is McpError {
  return error instanceof Error && error.name === 'McpError' && 'code' in error && 'server' in error
}
