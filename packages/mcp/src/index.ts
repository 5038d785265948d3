export { connectMcp, type McpConnection, type McpOptions } from './connect-mcp.ts'
export { isMcpError, McpError, type McpErrorCode } from './mcp-error.ts'
export type { McpHttpServer, McpServer, McpTransportServer } from './server.ts'
