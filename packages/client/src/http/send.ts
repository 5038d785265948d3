import { isMillraceError, MillraceError } from '@millrace/core'
import { mediaTypes } from '@millrace/wire'
import type { ClientSettings } from './client-options.ts'
import { httpError, noAnswer, requestError } from './http-errors.ts'
import { readText } from './read-text.ts'
import { type RequestWatch, watchRequest } from './request-watch.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  /** Below the client's `url`, with its query. */
  readonly path: string
  readonly body?: object
}

/**
 * Sends one request and returns its answer, whose body is still to be read. The watch bounds every step.
 *
 * @throws MillraceError without an answer, or with one that is not 2xx
 */
export async function send(
  settings: ClientSettings,
  request: HttpRequest,
  accept: string,
  watch: RequestWatch,
): Promise<Response> {
  const { method, path } = request
  const body = request.body && bodyText(request.body)
  const headers = await readHeaders(settings, watch)
  headers.set('accept', accept)
  if (body !== undefined) headers.set('content-type', mediaTypes.json)
  const init = { method, headers, signal: watch.signal, ...(body !== undefined && { body }) }
  let response: Response
  try {
    const answering = settings.fetch(`${settings.url}${path}`, init)
    // Nobody reads an answer that comes after the watch has ended.
    const dropLate = ({ body }: Response): void => void (watch.signal.aborted && body?.cancel().catch(() => undefined))
    answering.then(dropLate, () => undefined)
    response = await watch.race(answering)
  } catch (cause) {
    throw requestError(cause, watch, 'connection_failed')
  }
  if (!response.ok) throw await httpError(response, settings.clock.now(), watch)
  return response
}

function bodyText(body: object): string {
  try {
    return JSON.stringify(body)
  } catch (cause) {
    throw new MillraceError('invalid_input', 'the body of the request cannot be written as JSON', { cause })
  }
}

/** @throws MillraceError of the watch, of the hook, or `callback_failed` */
async function readHeaders({ headers }: ClientSettings, watch: RequestWatch): Promise<Headers> {
  try {
    // In a microtask, so that a hook that throws is one that rejects.
    return new Headers(await watch.race(Promise.resolve().then(headers), 'headers()'))
  } catch (cause) {
    if (watch.signal.aborted || isMillraceError(cause)) throw requestError(cause, watch, 'connection_failed')
    // A hook that fetches a token fails while the network is down, and succeeds later.
    throw new MillraceError('callback_failed', 'headers() failed', { path: 'headers', retryable: true, cause })
  }
}

/**
 * Sends a request and returns its answer, parsed from JSON.
 *
 * @throws MillraceError `request_timeout` where all of it takes longer than `requestTimeoutMs`, `protocol_error` where
 * the answer is not what `isAnswer` accepts
 */
export async function ask<Answer>(
  settings: ClientSettings,
  request: HttpRequest,
  signal: AbortSignal,
  isAnswer: (body: unknown) => body is Answer,
): Promise<Answer> {
  const { clock, requestTimeoutMs, maxEventChars } = settings
  const watch = watchRequest(clock, requestTimeoutMs, signal, noAnswer)
  try {
    const response = await send(settings, request, mediaTypes.json, watch)
    const body = parseJson(await readText(response, maxEventChars, watch))
    if (isAnswer(body)) return body
    throw new MillraceError('protocol_error', `the answer to ${request.method} ${request.path} cannot be read`)
  } catch (cause) {
    throw requestError(cause, watch, 'connection_lost')
  } finally {
    watch.dispose()
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
