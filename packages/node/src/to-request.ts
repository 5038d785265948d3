import { MillraceError } from '@millrace/core'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What stands behind a Request that came by node:http. */
export interface NodeExchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

const exchanges = new WeakMap<Request, NodeExchange>()

/**
 * The `req` and `res` behind a request: for options of the handler, such as `identify`, that need what other middleware
 * has put there.
 *
 * @throws MillraceError `invalid_input` for a request that did not come through this package
 */
export function nodeExchange(request: Request): NodeExchange {
  const exchange = exchanges.get(request)
  if (exchange) return exchange
  throw new MillraceError('invalid_input', 'this Request did not come through toNodeListener or sendToHandler')
}

/**
 * The Request of an incoming message. Its body is read as far as it is asked for; where other middleware has parsed it
 * already (`req.body`), it is written as JSON again. Its signal aborts when the client leaves before the response is
 * finished.
 */
export function toRequest(req: IncomingMessage, res: ServerResponse): Request {
  const controller = new AbortController()
  res.once('close', () => {
    if (!res.writableFinished) controller.abort()
  })
  const init: RequestInit & { duplex: 'half' } = {
    method: req.method ?? 'GET',
    headers: toHeaders(req),
    signal: controller.signal,
    body: toBody(req),
    duplex: 'half',
  }
  const request = new Request(toUrl(req), init)
  exchanges.set(request, { req, res })
  return request
}

function toHeaders({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    // The pseudo-headers of HTTP/2 are no headers to the Fetch API.
    if (!name.startsWith(':')) headers.append(name, rawHeaders[index + 1] ?? '')
  }
  return headers
}

function toUrl(req: IncomingMessage): string {
  const scheme = 'encrypted' in req.socket ? 'https' : 'http'
  const host = req.headers.host ?? String(req.headers[':authority'] ?? 'localhost')
  const target = req.url ?? '/'
  // Joined, not resolved: a path that begins with two slashes would be taken for a host.
  const path = target.startsWith('/') ? target : '/'
  const url = `${scheme}://${host}${path}`
  return URL.canParse(url) ? url : `${scheme}://localhost${path}`
}

function toBody(req: IncomingMessage): BodyInit | null {
  if (req.method === 'GET' || req.method === 'HEAD') return null
  const parsed: unknown = Reflect.get(req, 'body')
  if (req.readableDidRead && parsed !== undefined) return JSON.stringify(parsed)
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers
  if ((length === undefined || length === '0') && encoding === undefined && req.httpVersionMajor < 2) return null
  return readBody(req)
}

function readBody(req: IncomingMessage): ReadableStream<Uint8Array> {
  // A reader that has enough must not destroy the socket, on which it still wants to answer.
  const chunks = req.iterator({ destroyOnReturn: false })
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value }: IteratorResult<unknown> = await chunks.next()
        if (done === true) controller.close()
        else if (value instanceof Uint8Array) controller.enqueue(value)
        else controller.error(new TypeError('the request was decoded before it was read'))
      },
      cancel() {
        // Not awaited: it would wait for a chunk that a slow client may never send.
        void chunks.return?.()?.catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
