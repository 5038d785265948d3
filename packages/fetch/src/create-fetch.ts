import { MillraceError } from '@millrace/core'
import { answerWhole } from './answer-whole.ts'
import { observeRequest } from './observe-request.ts'
import { type FetchOptions, type FetchSettings, readFetchOptions } from './request/options.ts'
import { recoverStream } from './recover-stream.ts'
import { type Fetch, type MessagesRequest, readRequest } from './request/messages-request.ts'
import { repairRequest } from './request/repair-request.ts'

/**
 * Creates a `fetch` under which the streams of any Claude client survive. It recovers `POST …/v1/messages` and passes every
 * other request as it is.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function createFetch(options: FetchOptions = {}): Fetch {
  const settings = readFetchOptions(options)
  return async (input, init) => {
    const request = await readRequest(input, init, settings.limits.requestBytes)
    if ('body' in request) return send(settings, request)
    if (request.why !== undefined) settings.onWarning(passed(request.why, settings))
    return settings.fetch(request.input, request.init)
  }
}

function send(settings: FetchSettings, given: MessagesRequest): Promise<Response> {
  const request = settings.repair ? repair(settings, given) : given
  const { input, init, body } = request
  const { model, stream } = body
  const info = { model: typeof model === 'string' ? model : 'unknown', stream: stream === true }
  if (stream === true) return recoverStream(settings, request, observeRequest(settings, info))
  if (settings.upgrades(body)) return answerWhole(settings, request, observeRequest(settings, info))
  return settings.fetch(input, init)
}

function repair(settings: FetchSettings, request: MessagesRequest): MessagesRequest {
  const repaired = repairRequest(request.body)
  if (repaired === undefined) return request
  const { body, removed } = repaired
  settings.onWarning(
    new MillraceError('invalid_messages', `removed from messages what the API refuses: ${removed} content block(s)`, {
      path: 'messages',
    }),
  )
  const headers = new Headers(request.init.headers)
  headers.delete('content-length')
  return { ...request, body, init: { ...request.init, headers, body: JSON.stringify(body) } }
}

function passed(why: 'too_large' | 'unreadable', { limits }: FetchSettings): MillraceError {
  const what =
    why === 'too_large'
      ? `the body has more than limits.requestBytes (${limits.requestBytes})`
      : 'the body is no JSON of a Messages request, or a stream'
  return new MillraceError('invalid_input', `request passed without recovery: ${what}`, { path: 'body' })
}
