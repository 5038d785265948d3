import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { connectMcp } from '../src/index.ts'
import { contextOf, runTool } from './tool-call.ts'

interface HttpServer {
  readonly url: string
  readonly headers: IncomingHttpHeaders[]
  /** Forgets every session, as a restarted server does. */
  restart(): void
  close(): Promise<void>
}

/** Starts a server of the official SDK over streamable HTTP, with one tool that reports progress. */
async function startServer(): Promise<HttpServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const headers: IncomingHttpHeaders[] = []

  async function openSession(): Promise<StreamableHTTPServerTransport> {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    const server = new McpServer({ name: 'http', version: '1' })
    server.registerTool('count', { inputSchema: { to: z.number() } }, async ({ to }, { _meta, sendNotification }) => {
      for (let progress = 1; progress <= to; progress += 1) {
        const progressToken = _meta?.progressToken ?? ''
        await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: to } })
      }
      return { content: [{ type: 'text', text: `counted to ${to}` }] }
    })
    await server.connect(transport)
    return transport
  }

  const http = createServer((request, response) => {
    headers.push(request.headers)
    const id = request.headers['mcp-session-id']
    const known = typeof id === 'string' ? sessions.get(id) : undefined
    if (known === undefined && id !== undefined) response.writeHead(404).end()
    else
      void (known === undefined ? openSession() : Promise.resolve(known)).then((to) =>
        to.handleRequest(request, response),
      )
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    headers,
    restart: () => sessions.clear(),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve())
        http.closeAllConnections()
      }),
  }
}

test('sends headers, delivers progress, and opens a new session after one was lost, over streamable HTTP', async () => {
  const server = await startServer()
  const connection = await connectMcp({
    servers: { http: { url: server.url, headers: { authorization: 'Bearer key' } } },
  })
  try {
    const [count] = connection.tools()
    const first = contextOf()
    expect(await runTool(count, { to: 4 }, first)).toBe('counted to 4')
    expect(first.seen).toEqual([1, 2, 3, 4].map((progress) => ({ progress, total: 4 })))
    expect(server.headers.every(({ authorization }) => authorization === 'Bearer key')).toBe(true)

    server.restart()
    await expect(runTool(count, { to: 1 }, contextOf())).rejects.toThrow('The call did not run')
    expect(await runTool(count, { to: 1 }, contextOf())).toBe('counted to 1')
  } finally {
    await connection.close()
    await server.close()
  }
})

test('fails with "connect_failed" when no server listens', async () => {
  const server = await startServer()
  await server.close()
  await expect(connectMcp({ servers: { http: { url: server.url } } })).rejects.toMatchObject({
    code: 'connect_failed',
    server: 'http',
  })
})
