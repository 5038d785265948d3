import { MillraceError } from '@millrace/core'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isHost, readTarget } from './request-target.ts'

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
 * Returns the Request of an incoming message. Its body is read as far as it is asked for; where other middleware has read
 * it already, `req.body` is taken: bytes and text as they are, anything else as JSON. Its signal aborts when the client
 * leaves before the response is finished.
 *
 * @throws TypeError for a message that is no Request: a method such as CONNECT, a `Host` that is none, a path with dot
 *   segments
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
  const { path, authority } = readTarget(req.url ?? '/')
  const host = authority ?? req.headers.host ?? String(req.headers[':authority'] ?? '')
  if (host !== '' && !isHost(host)) throw new TypeError('the host of the request is not valid')
  // Joined, not resolved: a path that begins with two slashes would be taken for a host.
  return `${scheme}://${host || 'localhost'}${path}`
}

function toBody(req: IncomingMessage): BodyInit | null {
  if (req.method === 'GET' || req.method === 'HEAD') return null
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers
  if ((length === undefined || length === '0') && encoding === undefined && req.httpVersionMajor < 2) return null
  if (!req.readableDidRead) return readBody(req)
  const kept: unknown = Reflect.get(req, 'body')
  if (typeof kept === 'string') return kept
  if (kept instanceof Uint8Array) return new Uint8Array(kept)
  return kept === undefined ? lostBody() : JSON.stringify(kept)
}

/** Fails when it is read: an empty body instead would be the client's mistake. */
function lostBody(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const message =
        'the body of the request was read before it reached the handler, and is not in req.body; mount the handler before ' +
        'the middleware that reads bodies'
      controller.error(new MillraceError('invalid_option', message))
    },
  })
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
