import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'

/** Every way in which a flag server fails here. */
export const faults = [
  'stalled headers',
  'stalled body',
  'stalled but for a drip',
  'cut body',
  'body that ends too soon',
  'broken chunk',
  'cut gzip',
  'reset',
  '500',
  '429',
  '503',
  '401',
  '403',
  '404',
  'redirect',
  'garbage',
  'bytes that are no UTF-8',
  'wrong types',
  'huge body',
  'emptied',
  'refused',
] as const

export type Fault = (typeof faults)[number]

/** A server of one answer, which can be told to fail. */
export interface FlagServer {
  readonly url: string
  /** What it answers where it does not fail. */
  text: string
  contentType: string
  fault: Fault | undefined
  retryAfter: string | undefined
  readonly requests: {
    readonly method: string
    readonly path: string
    readonly headers: IncomingMessage['headers']
    readonly body: string
  }[]
  /** The number of requests that were answered 304. */
  unchanged: number
  /** Whether a connection is closed unanswered when a second request comes on it. */
  onceAConnection: boolean
  closedOnReuse: number
  close(): Promise<void>
}

/** Starts one on a free port of this machine. ETags are made of the text. */
export async function startFlagServer(text: string, emptied: string): Promise<FlagServer> {
  const served = new WeakSet<Socket>()
  const server = createServer((request, response) => {
    if (state.onceAConnection && served.has(request.socket)) {
      state.closedOnReuse++
      return void request.socket.destroy()
    }
    served.add(request.socket)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      state.requests.push({ method, path, headers, body: Buffer.concat(chunks).toString() })
      respond(state, request, response, emptied)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = addressOf(server.address())
  const state: FlagServer = {
    url: `http://127.0.0.1:${port}/flags.json`,
    text,
    contentType: 'application/json',
    fault: undefined,
    retryAfter: undefined,
    requests: [],
    unchanged: 0,
    onceAConnection: false,
    closedOnReuse: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return state
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address
}

function respond(state: FlagServer, request: IncomingMessage, response: ServerResponse, emptied: string): void {
  const json = { 'content-type': 'application/json' }
  switch (state.fault) {
    case undefined: {
      const etag = `"${Buffer.from(state.text).toString('base64url').slice(0, 2000)}"`
      if (request.headers['if-none-match'] === etag) {
        state.unchanged++
        response.writeHead(304).end()
      } else response.writeHead(200, { 'content-type': state.contentType, etag }).end(state.text)
      return
    }
    case 'stalled headers':
      return
    case 'stalled body':
      response.writeHead(200, json).write(state.text.slice(0, 10))
      return
    case 'stalled but for a drip': {
      response.writeHead(200, json)
      const drip = setInterval(() => void response.write(' '), 1)
      response.on('close', () => clearInterval(drip))
      return
    }
    case 'body that ends too soon':
      response.writeHead(200, json).end(state.text.slice(0, -10))
      return
    case 'broken chunk':
      response.writeHead(200, json).flushHeaders()
      request.socket.write('ffff\r\n{"flags"', () => request.socket.destroy())
      return
    case 'cut gzip':
      response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(cutInHalf(gzipSync(state.text)))
      return
    case 'cut body':
      response
        .writeHead(200, { ...json, 'content-length': state.text.length })
        .write(state.text.slice(0, 10), () => request.socket.destroy())
      return
    case 'reset':
    case 'refused':
      request.socket.destroy()
      return
    case '500':
    case '401':
    case '403':
    case '404':
    case '429':
    case '503':
      response
        .writeHead(Number(state.fault), { ...(state.retryAfter !== undefined && { 'retry-after': state.retryAfter }) })
        .end('secret of the upstream')
      return
    case 'redirect':
      response.writeHead(302, { location: '/elsewhere' }).end()
      return
    case 'garbage':
      response.writeHead(200, json).end('<html>it works</html>')
      return
    case 'bytes that are no UTF-8':
      response.writeHead(200, json).end(Buffer.from([0x7b, 0xff, 0xfe]))
      return
    case 'wrong types':
      response.writeHead(200, json).end('{"flags":[{"key":"use_streaming","state":1,"value":null}]}')
      return
    case 'huge body':
      response.writeHead(200, json).end(`{"flags":"${'x'.repeat(200_000)}"}`)
      return
    case 'emptied':
      response.writeHead(200, json).end(emptied)
  }
}

/** Without its last eight bytes, the checksum, a text is whole, and Node's `fetch` takes it as such. */
function cutInHalf(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length / 2)
}
