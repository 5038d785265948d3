import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TestingError } from '../kit/errors.ts'

/** An HTTP server on 127.0.0.1 that can stop and go on listening on the same port. */
export interface Listener {
  readonly port: number
  readonly openSockets: number
  /** Stops listening and destroys all connections. The system refuses new ones from then on. */
  refuse(): Promise<void>
  /** Listens again, on the same port. */
  accept(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts to listen. `changed` is called when a socket comes or goes. Rejects with `listen_failed` for a port in use.
 */
export async function openListener(options: {
  port: number
  handle: (request: IncomingMessage, response: ServerResponse) => void
  changed: () => void
}): Promise<Listener> {
  const sockets = new Set<Socket>()
  let server = await listen(options.port)
  let refusing: Promise<void> | undefined

  async function listen(port: number): Promise<Server> {
    const created = createServer(options.handle)
    // Timeouts of Node's server would look like faults that no plan has.
    created.requestTimeout = 0
    created.headersTimeout = 0
    created.keepAliveTimeout = 60_000
    created.on('connection', (socket) => {
      sockets.add(socket)
      options.changed()
      socket.on('close', () => {
        sockets.delete(socket)
        options.changed()
      })
    })
    await startListening(created, port)
    return created
  }

  const refuse = (): Promise<void> => {
    refusing ??= new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
    return refusing
  }
  const port = portOf(server)

  return {
    port,
    get openSockets() {
      return sockets.size
    },
    refuse,
    async accept() {
      if (refusing === undefined) return
      await refusing
      server = await listen(port)
      refusing = undefined
    },
    close: refuse,
  }
}

function startListening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new TestingError('listen_failed', `cannot listen on 127.0.0.1:${port}: ${why(cause)}`, { path: 'port', cause }),
      )
    })
    server.listen(port, '127.0.0.1', resolve)
  })
}

function why(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'the port is in use'
  if (code === 'EACCES') return 'the port is not open to this user'
  return typeof code === 'string' ? code : error.message
}

function portOf(server: Server): number {
  const address = server.address()
  return address === null || typeof address === 'string' ? 0 : address.port
}
