import { serve } from '@hono/node-server'
import { millrace as expressMillrace } from '@millrace/express'
import { millrace as honoMillrace } from '@millrace/hono'
import { toNodeListener } from '@millrace/node'
import type { Handler } from '@millrace/server'
import express5 from 'express'
import express4 from 'express4'
import { Hono } from 'hono'
import { createServer, type RequestListener, type Server } from 'node:http'
import { onTestFinished } from 'vitest'

/** A handler behind one of the adapters. */
export interface Mounted {
  /** Where `/runs` is. */
  readonly url: string
  readonly fetch: typeof fetch
  /** Requests that the server still has connections for; undefined where there is no server. */
  readonly connections: () => Promise<number>
}

export interface Adapter {
  readonly name: string
  /** Whether there is a socket between client and handler. */
  readonly isNetworked: boolean
  mount(handler: Handler): Promise<Mounted>
}

export const adapters: readonly Adapter[] = [
  { name: 'plain fetch', isNetworked: false, mount: async (handler) => inProcess(handler) },
  { name: 'node:http', isNetworked: true, mount: async (handler) => listening(toNodeListener(handler), '') },
  {
    name: 'Express 5',
    isNetworked: true,
    mount: async (handler) => listening(express5().use('/api', expressMillrace(handler)), '/api'),
  },
  {
    name: 'Express 4',
    isNetworked: true,
    mount: async (handler) => listening(express4().use('/api', expressMillrace(handler)), '/api'),
  },
  {
    name: 'Hono on Node',
    isNetworked: true,
    async mount(handler) {
      const app = new Hono().route('/api/agent', honoMillrace(handler))
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
      if (!isHttpServer(server)) throw new TypeError('expected an HTTP/1 server')
      return mounted(server, '/api/agent')
    },
  },
]

function isHttpServer(server: object): server is Server {
  return 'closeAllConnections' in server
}

function inProcess({ fetch: answer }: Handler): Mounted {
  return {
    url: 'http://millrace.test',
    fetch: (input, init) => answer(new Request(input, init)),
    connections: () => Promise.resolve(0),
  }
}

/** Serves a listener of node:http until the test ends. */
async function listening(listener: RequestListener, path: string): Promise<Mounted> {
  return mounted(createServer(listener).listen(0, '127.0.0.1'), path)
}

async function mounted(server: Server, path: string): Promise<Mounted> {
  // Idle connections are closed by the client alone. A server that closes one while the client sends its next request on it
  // resets that request, which a busy machine makes likely.
  server.keepAliveTimeout = 0
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a port')
  return {
    url: `http://127.0.0.1:${address.port}${path}`,
    fetch: (input, init) => fetch(input, init),
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error) reject(error)
          else resolve(count)
        })
      }),
  }
}
