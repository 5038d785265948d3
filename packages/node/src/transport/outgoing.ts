/** A request as node:http takes it. */
export interface Outgoing {
  readonly url: URL
  readonly method: string
  readonly headers: Record<string, string>
  /** A text or bytes, of which the length is known, or a stream. */
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | undefined
  readonly signal: AbortSignal | undefined
  readonly redirect: RequestRedirect
}

/**
 * Reads the arguments of `fetch`.
 *
 * @throws TypeError for a URL that is neither http nor https, and for what the global fetch refuses
 */
export function readOutgoing(input: string | URL | Request, init: RequestInit = {}): Outgoing {
  if ('dispatcher' in init) {
    throw new TypeError('"dispatcher" belongs to the global fetch; pass an "agent" to createNodeFetch instead')
  }
  const { body = null } = init
  const isRequest = typeof input !== 'string' && !(input instanceof URL)
  if (isRequest || (body !== null && typeof body !== 'string' && !(body instanceof Uint8Array))) {
    // A body that is a stream needs the word; other bodies ignore it.
    const streamed: RequestInit & { duplex: 'half' } = { ...init, duplex: 'half' }
    return readRequest(new Request(input, streamed))
  }
  const { method = 'GET', signal, redirect = 'follow' } = init
  const headers = withDefaults(new Headers(init.headers))
  if (typeof body === 'string') headers['content-type'] ??= 'text/plain;charset=UTF-8'
  if (body !== null) headers['content-length'] = String(Buffer.byteLength(body))
  return {
    url: checkUrl(input),
    method: method.toUpperCase(),
    headers,
    body: body ?? undefined,
    signal: signal ?? undefined,
    redirect,
  }
}

/** What is neither text nor bytes, a form with files for example, is read by the class that knows how. */
function readRequest({ url, method, headers, body, signal, redirect }: Request): Outgoing {
  return {
    url: checkUrl(url),
    method,
    headers: withDefaults(headers),
    body: body ?? undefined,
    signal,
    redirect,
  }
}

function checkUrl(input: string | URL): URL {
  const url = new URL(input)
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  throw new TypeError(`the URL scheme must be http or https, not "${url.protocol}"`)
}

function withDefaults(given: Headers): Record<string, string> {
  const headers = Object.fromEntries(given)
  headers['accept'] ??= '*/*'
  // Only callers that set it get compression: to decompress one delta of a stream costs about 35 us of CPU time (gzip, Node
  // 24), more than all else that is done with it.
  headers['accept-encoding'] ??= 'identity'
  return headers
}
