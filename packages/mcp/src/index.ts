export { connectMcp, type McpConnection } from './connect-mcp.ts'
export { isMcpError, McpError, type McpErrorCode } from './mcp-error.ts'
export type { McpOptions } from './mcp-options.ts'
export type { HookFailed, McpHttpServer, McpServer, McpTransportServer } from './server.ts'
