import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSocketServer, type Server as SocketServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Starts an HTTP server for one test and returns its URL. */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return urlOf(server)
}

export interface RawServer {
  readonly url: string
  /** Every connection that was accepted, in order. */
  readonly connections: readonly Socket[]
}

/** Starts a server that writes its answers by hand: `answer` is called when the head of a request has arrived. */
export async function listenRaw(answer: (socket: Socket, head: string) => void): Promise<RawServer> {
  const connections: Socket[] = []
  const server = createSocketServer((socket) => {
    connections.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (bytes.includes(' HTTP/1.1\r\n')) answer(socket, bytes.toString())
    })
  })
  onTestFinished(() => {
    server.close()
    for (const socket of connections) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: urlOf(server), connections }
}

export function urlOf(server: Server | SocketServer): string {
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}
