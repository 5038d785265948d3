import type { Clock } from '@millrace/core'
import { mediaTypes } from '@millrace/wire'
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
 * The JSON of a request's body, undefined where there is none.
 *
 * @throws ProblemError `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_body`
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<unknown> {
  const text = await readText(request, limits)
  if (text === '') return undefined
  // A form can be posted from any page, with the visitor's cookies; JSON only where CORS lets it.
  const type = request.headers.get('content-type')?.split(';', 1).join('').trim().toLowerCase()
  if (type !== mediaTypes.json) {
    throw new ProblemError('unsupported_media_type', `Send the body as ${mediaTypes.json}`)
  }
  if (isDeeperThan(maxDepth, text)) {
    throw new ProblemError('invalid_body', `The body is nested deeper than ${maxDepth} levels`)
  }
  try {
    const body: unknown = JSON.parse(text)
    return body
  } catch (cause) {
    throw new ProblemError('invalid_body', 'The body is no JSON', { cause })
  }
}

async function readText(request: Request, { bodyLimit, bodyTimeout, clock }: BodyLimits): Promise<string> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > bodyLimit) throw await tooLarge(request.body, bodyLimit)
  if (!request.body) return ''
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
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause
    throw new ProblemError('invalid_body', 'The body could not be read as UTF-8 text', { cause })
  } finally {
    cancelTimer()
  }
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
