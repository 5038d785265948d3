import type { Fetch } from '../../src/index.ts'

/** A streaming request of a client. */
export function ask(fetch: Fetch, body: object = {}, init: RequestInit = {}): Promise<Response> {
  const messages = [{ role: 'user', content: 'Hello' }]
  return fetch('http://127.0.0.1/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'secret' },
    body: JSON.stringify({ model: 'claude-sonnet-5-5', max_tokens: 100, stream: true, messages, ...body }),
    ...init,
  })
}

/** A response that is an event stream of these chunks, and then ends, breaks or goes on without a word. */
export function streamOf(
  chunks: Iterable<Uint8Array | string>,
  then: 'end' | 'break' | 'hang' = 'end',
  headers: Record<string, string> = {},
): Response {
  const encoder = new TextEncoder()
  const iterator = chunks[Symbol.iterator]()
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = iterator.next()
        if (done !== true) return controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
        if (then === 'end') return controller.close()
        if (then === 'break') return controller.error(new TypeError('terminated'))
        return new Promise(() => {})
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'request-id': 'req_1', ...headers } })
}

export async function bytesOf({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body ?? []) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}
