import { type Clock, isMillraceError, MillraceError } from '@millrace/core'
import { mediaTypes } from '@millrace/wire'
import { contentType } from './cross-site.ts'
import { ProblemError } from './problem.ts'

/**
 * Levels of arrays and objects in a body. JSON.parse reads any depth, but what walks the value afterwards is recursive
 * and would overflow the stack. The deepest message of the API is 8 levels deep, before what tools put into it.
 */
const maxDepth = 128

export interface BodyLimits {
  /** Bytes. */
  readonly bodyLimit: number
  /** Milliseconds until the body must be there. */
  readonly bodyTimeout: number
  readonly clock: Clock
}

/**
 * Returns the JSON of a request's body, or undefined where there is none.
 *
 * @throws ProblemError `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_body`
 * @throws MillraceError `invalid_option` where something in front of the handler has consumed the body
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<unknown> {
  const text = await readText(request, limits)
  if (text === '') return undefined
  // Any page can post a form with the visitor's cookies; JSON only where CORS lets it.
  if (contentType(request.headers) !== mediaTypes.json) {
    throw new ProblemError('unsupported_media_type', `Send the body as ${mediaTypes.json}`)
  }
  if (isDeeperThan(maxDepth, text)) {
    throw new ProblemError('invalid_body', `The body is nested deeper than ${maxDepth} levels`)
  }
  try {
    const body: unknown = JSON.parse(text)
    return body
  } catch {
    throw new ProblemError('invalid_body', 'The body is not JSON')
  }
}

async function readText(request: Request, { bodyLimit, bodyTimeout, clock }: BodyLimits): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > bodyLimit) throw await tooLarge(request.body, bodyLimit)
  if (!request.body) return ''
  if (request.bodyUsed || request.body.locked) throw consumed()
  const reader = request.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let late = false
  const cancelTimer = clock.setTimer(() => {
    late = true
    // The pending read then ends, which is where the reader loop looks at `late`.
    reader.cancel().catch(() => undefined)
  }, bodyTimeout)
  try {
    const parts: string[] = []
    let bytes = 0
    for (;;) {
      const chunk = await reader.read()
      if (late) throw new ProblemError('request_timeout', `The body did not arrive within ${bodyTimeout} ms`)
      if (chunk.done) return parts.join('') + decoder.decode()
      bytes += chunk.value.byteLength
      if (bytes > bodyLimit) {
        reader.releaseLock()
        throw await tooLarge(request.body, bodyLimit)
      }
      parts.push(decoder.decode(chunk.value, { stream: true }))
    }
  } catch (error) {
    if (error instanceof ProblemError || isMillraceError(error)) throw error
    throw new ProblemError('invalid_body', 'The body could not be read as UTF-8 text')
  } finally {
    cancelTimer()
  }
}

function consumed(): MillraceError {
  const message =
    'the body of the request was read before it reached the handler; mount the handler before the middleware that reads ' +
    'bodies, or have that middleware keep what it read, as c.req.json() of Hono and express.json() do'
  return new MillraceError('invalid_option', message)
}

async function tooLarge(body: ReadableStream<Uint8Array> | null, bodyLimit: number): Promise<ProblemError> {
  await body?.cancel().catch(() => undefined)
  return new ProblemError('body_too_large', `A body may have ${bodyLimit} bytes`)
}

function isDeeperThan(limit: number, json: string): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < json.length; index++) {
    const char = json[index]
    if (inString) {
      if (char === '\\') index++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '{' || char === '[') {
      depth++
      if (depth > limit) return true
    } else if (char === '}' || char === ']') depth--
  }
  return false
}
