import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip } from 'node:zlib'
import type { Outgoing } from './outgoing.ts'

/** How many bytes may wait to be read from a body before its socket is paused. */
const highWaterMark = 65_536

/**
 * Returns the response whose body is the rest of `message`, decompressed. Trailers are ignored.
 *
 * @throws TypeError for a redirect that was not to be returned, and for an encoding that nobody asked for
 */
export function toResponse(message: IncomingMessage, { url, method, redirect, signal }: Outgoing): Response {
  const { statusCode: status = 0, statusMessage: statusText = '', headers: received } = message
  if (isRedirect(status) && received.location !== undefined && redirect !== 'manual') {
    throw new TypeError(
      `the request to ${url.origin} was redirected (${status}), and redirects are refused so that keys and prompts go ` +
        'to no other host; use the URL that it leads to, or read it with redirect: "manual"',
    )
  }
  const headers = toHeaders(message)
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304
  if (!hasBody) message.resume()
  const body = hasBody ? toBody(decoded(message), signal) : null
  const response = new Response(body, { status, statusText, headers })
  Object.defineProperty(response, 'url', { value: url.href })
  return response
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

function toHeaders({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '')
  }
  return headers
}

/** The readable end of a decompression, or the message itself. */
function decoded(message: IncomingMessage): Readable {
  const encoding = (message.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (encoding === 'identity' || encoding === '' || message.headers['content-length'] === '0') return message
  const decoder = decoderOf(encoding)
  if (decoder === undefined)
    throw new TypeError(`the response has the content encoding "${encoding}", which cannot be read`)
  // Errors of either end reach the reader of `decoder`.
  pipeline(message, decoder, () => undefined)
  return decoder
}

/** What was compressed is given out as soon as it is there: events must not wait for a full block. */
function decoderOf(encoding: string): (Readable & NodeJS.WritableStream) | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (encoding === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}

/** The body as a web stream, which pauses the socket while its reader is behind and closes it when it is cancelled. */
function toBody(source: Readable, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        source.on('data', (chunk: Uint8Array) => {
          controller.enqueue(chunk)
          if ((controller.desiredSize ?? 0) <= 0) source.pause()
        })
        source.once('end', () => controller.close())
        source.on('error', (cause) => controller.error(signal?.aborted === true ? signal.reason : cause))
      },
      pull: () => void source.resume(),
      cancel: () => void source.destroy(),
    },
    { highWaterMark, size: (chunk) => chunk.byteLength },
  )
}
