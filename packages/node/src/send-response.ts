import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/**
 * Sends a Response. Its body is read only as fast as the client takes it, and is cancelled if the client leaves. Headers that
 * other middleware has set are kept. Never rejects: a body that fails cuts the connection. A Response that cannot be sent (a
 * used body, a status of 0, a control character in a header) is answered with 500.
 */
export async function sendResponse(response: Response, res: ServerResponse): Promise<void> {
  const { body } = response
  if (res.destroyed || res.writableEnded || res.headersSent) {
    await body?.cancel().catch(() => undefined)
    return
  }
  const before = res.getHeaders()
  try {
    if (response.bodyUsed || body?.locked === true) throw new TypeError('its body has been sent already')
    // `Response.error()` has the status 0, for which node:http throws only when the answer ends.
    if (response.status < 200) throw new RangeError(`its status is ${response.status}`)
    writeHead(response, res)
    // Sends the head at once: a stream may be quiet at first, while its client waits for the status.
    if (body && res.req.method !== 'HEAD') {
      gatherWrites(res)
      res.flushHeaders()
    }
  } catch {
    refuse(res, before)
    await body?.cancel().catch(() => undefined)
    return
  }
  if (!body || res.req.method === 'HEAD') {
    await body?.cancel().catch(() => undefined)
    res.end()
    return
  }
  await writeBody(body, res)
}

/** Answers with 500, without the headers of the response that could not be sent. */
function refuse(res: ServerResponse, before: OutgoingHttpHeaders): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(before)) if (value !== undefined) res.setHeader(name, value)
  res.statusCode = 500
  res.end()
}

/**
 * Sends everything that is written in this turn of the event loop as one packet: the head, the opening of the stream, and each
 * batch that follows at once. A write to a socket costs 60 to 300 us, more than the work for its events.
 */
function gatherWrites({ req, socket }: ServerResponse): void {
  // HTTP/2 has no socket per response, and gathers frames itself.
  if (req.httpVersionMajor >= 2 || socket === null || socket.writableCorked > 0) return
  socket.cork()
  setImmediate(() => socket.uncork())
}

function writeHead(response: Response, res: ServerResponse): void {
  res.statusCode = response.status
  for (const [name, value] of response.headers) if (name !== 'set-cookie') res.setHeader(name, value)
  for (const cookie of response.headers.getSetCookie()) res.appendHeader('set-cookie', cookie)
  // The rest of an unread body would be mistaken for the next request.
  if (!res.req.complete && res.req.httpVersionMajor < 2) res.setHeader('connection', 'close')
}

/** Copies a body with a reader loop. `pipeTo` does not cancel its source if the client vanishes during a write. */
async function writeBody(body: ReadableStream<Uint8Array>, res: ServerResponse): Promise<void> {
  const reader = body.getReader()
  let isClosed = false
  let wake = (): void => undefined
  const onDrain = (): void => wake()
  const onClose = (): void => {
    isClosed = true
    reader.cancel().catch(() => undefined)
    wake()
  }
  // A write to a vanished client fails. The `close` event that follows is what counts.
  const onError = (): void => undefined
  res.on('drain', onDrain).on('close', onClose).on('error', onError)
  try {
    for (;;) {
      const chunk = await reader.read()
      if (chunk.done || isClosed) break
      gatherWrites(res)
      if (!res.write(chunk.value) && !isClosed) await new Promise<void>((resolve) => (wake = resolve))
    }
    if (!isClosed) res.end()
  } catch {
    // The client gets the head of the response that broke. A proper end would make the stream look complete.
    if (res.req.httpVersionMajor < 2) res.socket?.uncork()
    res.destroy()
  } finally {
    res.off('drain', onDrain).off('close', onClose)
  }
}
