import type { IncomingMessage } from 'node:http'

/** Returns the body of a request as text, or `too_large`. The rest of a body that is too large is read and dropped. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string | 'too_large'> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > limit) chunks.length = 0
    else chunks.push(bytes)
  }
  return length > limit ? 'too_large' : Buffer.concat(chunks).toString('utf8')
}

/** Returns the headers of a request as one text each, without the value of a key. */
export function redactedHeaders(request: IncomingMessage): { readonly [name: string]: string } {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue
    const isKey = name === 'authorization' || name === 'x-api-key'
    headers[name] = isKey ? '[redacted]' : String(value)
  }
  return headers
}

/** Whether the request carries a key, in either of the API's headers. */
export function hasKey(request: IncomingMessage): boolean {
  const bearer = request.headers.authorization
  const key = request.headers['x-api-key']
  return (bearer !== undefined && /^Bearer \S+/i.test(bearer)) || (typeof key === 'string' && key !== '')
}
