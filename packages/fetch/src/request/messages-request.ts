import type { ContentBlock, RequestBody } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { blocksOf } from '@millrace/core/recovery'

/** What the platform's `fetch` takes. */
export type FetchInput = string | URL | Request
export type Fetch = (input: FetchInput, init?: RequestInit) => Promise<Response>

/** A request to the Messages API, as the client made it. */
export interface MessagesRequest {
  readonly input: FetchInput
  /** What is sent with it, the body included. */
  readonly init: RequestInit
  readonly body: RequestBody
  readonly signal: AbortSignal | undefined
}

/** A request that is passed as it is, and why: undefined for one that is none of the Messages API. */
export interface OtherRequest {
  readonly input: FetchInput
  readonly init: RequestInit | undefined
  readonly why: 'too_large' | 'unreadable' | undefined
}

/**
 * Reads a request to the Messages API: `POST …/v1/messages`, with any prefix and query. Only a body that can be sent again
 * is read: a string, bytes, or that of a `Request`.
 */
export async function readRequest(
  input: FetchInput,
  init: RequestInit | undefined,
  maxBytes: number,
): Promise<MessagesRequest | OtherRequest> {
  if (!isMessagesCall(input, init)) return { input, init, why: undefined }
  const given = init?.body ?? undefined
  if (given === undefined && input instanceof Request) return readRequestObject(input, init, maxBytes)
  const text = decode(given)
  if (text === undefined) return { input, init, why: 'unreadable' }
  return read(input, init ?? {}, text, maxBytes, init?.signal ?? (input instanceof Request ? input.signal : undefined))
}

async function readRequestObject(
  request: Request,
  init: RequestInit | undefined,
  maxBytes: number,
): Promise<MessagesRequest | OtherRequest> {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (length > maxBytes) return { input: request, init, why: 'too_large' }
  const copy = request.clone()
  const text = await copy.text()
  // The body is sent apart from its `Request`, so that it can be sent again.
  const { method, headers } = request
  const own: RequestInit = { method, headers, ...init, body: text }
  return read(request.url, own, text, maxBytes, init?.signal ?? request.signal)
}

function read(
  input: FetchInput,
  init: RequestInit,
  text: string,
  maxBytes: number,
  signal: AbortSignal | null | undefined,
): MessagesRequest | OtherRequest {
  // UTF-16 code units: a body has no fewer bytes.
  if (text.length > maxBytes) return { input, init, why: 'too_large' }
  const body = parseBody(text)
  if (body === undefined) return { input, init, why: 'unreadable' }
  return { input, init, body, signal: signal ?? undefined }
}

function isMessagesCall(input: FetchInput, init: RequestInit | undefined): boolean {
  const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
  if (method.toUpperCase() !== 'POST') return false
  const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url
  return /\/v1\/messages\/?$/.test(url.split(/[?#]/, 1)[0] ?? '')
}

function decode(body: unknown): string | undefined {
  if (typeof body === 'string') return body
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return new TextDecoder().decode(body)
  return undefined
}

function parseBody(text: string): RequestBody | undefined {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return undefined
  }
  return isRequestBody(body) ? body : undefined
}

function isRequestBody(body: unknown): body is RequestBody {
  return isRecord(body) && Array.isArray(body['messages']) && body['messages'].every(isRecord)
}

/** Returns the content of the request's conversation. */
export function historyOf({ messages }: RequestBody): readonly ContentBlock[] {
  return messages.flatMap(blocksOf)
}
