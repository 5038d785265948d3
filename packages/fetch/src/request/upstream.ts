import { type Clock, MillraceError, type ModelClient, type RequestBody, type RequestOptions } from '@millrace/core'
import { fault, toFault } from '@millrace/core/recovery'
import { readText } from './read-text.ts'
import type { Fetch, MessagesRequest } from './messages-request.ts'

/** What upstream said instead of an answer. */
export interface Refusal {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  readonly text: string
}

/** Where the request goes, however often and however changed. */
export interface Upstream {
  /** Asks for an answer as a stream. Rejects with a MillraceError of a fault code. */
  ask(body: RequestBody, signal: AbortSignal): Promise<Response>
  /** The same as the model client that core's sources take. */
  readonly client: ModelClient
  /** What upstream last said instead of an answer. */
  readonly refusal: Refusal | undefined
}

/** The most that is read of the body of an error. */
const maxErrorBytes = 1024 * 1024
/** The most that is read of an answer in one body. */
const maxAnswerBytes = 64 * 1024 * 1024

/**
 * @param sent the body that goes up as the text that the client gave
 * @param opened told of the headers of each answer
 */
export function createUpstream(
  fetch: Fetch,
  { input, init, body: sent }: MessagesRequest,
  clock: Clock,
  opened: (response: Response) => void,
): Upstream {
  let refusal: Refusal | undefined

  async function send(body: RequestBody, signal: AbortSignal): Promise<Response> {
    refusal = undefined
    const isUnchanged = body === sent
    const headers = new Headers(init.headers)
    headers.delete('content-length')
    // The answer to another body is another one.
    if (!isUnchanged) headers.delete('idempotency-key')
    const request: RequestInit = isUnchanged
      ? { ...init, signal }
      : { ...init, headers, body: JSON.stringify(body), signal }
    let response: Response
    try {
      response = await fetch(input, request)
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      const error = toFault(cause, false, clock.now())
      throw error.code === 'internal' ? fault('connection_failed', { cause }) : error
    }
    if (response.ok) return response
    const { status, statusText, headers: given } = response
    refusal = { status, statusText, headers: given, text: await readText(response, maxErrorBytes) }
    throw refused(refusal, clock.now())
  }

  async function answer(body: RequestBody, signal: AbortSignal): Promise<unknown> {
    const response = await send(body, signal)
    const given = await readText(response, maxAnswerBytes)
    let message: unknown
    try {
      message = JSON.parse(given)
    } catch (cause) {
      throw fault('garbage', { cause })
    }
    opened(response)
    return message
  }

  async function ask(body: RequestBody, signal: AbortSignal): Promise<Response> {
    const response = await send(body, signal)
    if (isEventStream(response.headers)) opened(response)
    return response
  }

  return {
    ask,
    client: {
      messages: {
        create(body: RequestBody, options?: RequestOptions) {
          const { signal = never } = options ?? {}
          if (body['stream'] !== true) return answer(body, signal)
          const response = ask(body, signal)
          return Object.assign(response, { asResponse: () => response })
        },
      },
    },
    get refusal() {
      return refusal
    },
  }
}

/** Aborts nothing: core's sources always give a signal. */
const never = new AbortController().signal

export function isEventStream(headers: Headers): boolean {
  return (headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
}

/** Returns the fault that the refusal stands for. Upstream's own word on whether to ask again counts before its status. */
function refused({ status, headers, text }: Refusal, now: number): MillraceError {
  const requestID = headers.get('request-id') ?? undefined
  const error = toFault({ status, headers, requestID, cause: parseOrText(text) }, false, now)
  const word = headers.get('x-should-retry')
  if (word !== 'true' && word !== 'false') return error
  const { code, message, requestId, retryAfterMs, cause } = error
  return new MillraceError(code, message, {
    cause,
    status,
    retryable: word === 'true',
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
