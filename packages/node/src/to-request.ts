import { MillraceError } from '@millrace/core'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isHost, readTarget } from './request-target.ts'

/** The node:http messages of a Request. */
export interface NodeExchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

const exchanges = new WeakMap<Request, NodeExchange>()

/**
 * Returns the `req` and `res` of a request, for options of the handler, such as `identify`, that need what other middleware has
 * put there.
 *
 * @throws MillraceError `invalid_input` for a request that did not come through this package
 */
export function nodeExchange(request: Request): NodeExchange {
  const exchange = exchanges.get(request)
  if (exchange) return exchange
  throw new MillraceError('invalid_input', 'this Request did not come through toNodeListener or sendToHandler')
}

/**
 * Returns the Request of an incoming message. Its body is read on demand. If other middleware has read it, `req.body` is used:
 * bytes and text unchanged, anything else as JSON. Its signal aborts if the client leaves before the response is finished.
 *
 * @throws TypeError for a message that a Request cannot express: a method such as CONNECT, an invalid `Host`, a path with dot
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
    // The Fetch API does not accept the pseudo-headers of HTTP/2.
    if (!name.startsWith(':')) headers.append(name, rawHeaders[index + 1] ?? '')
  }
  return headers
}

function toUrl(req: IncomingMessage): string {
  const scheme = 'encrypted' in req.socket ? 'https' : 'http'
  const { path, authority } = readTarget(req.url ?? '/')
  const host = authority ?? req.headers.host ?? String(req.headers[':authority'] ?? '')
  if (host !== '' && !isHost(host)) throw new TypeError('the host of the request is not valid')
  // Joined and not resolved, because a path that starts with two slashes would be read as a host.
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

/** Returns a body that fails when it is read. An empty body would blame the client. */
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
  // Ending the read early must not destroy the socket, which still carries the response.
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
        // Not awaited, because a slow client may never send the next chunk.
        void chunks.return?.()?.catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
