import { MillraceError } from '@millrace/core'
import { answerWhole } from './send/answer-whole.ts'
import { observeRequest } from './send/observe-request.ts'
import { type FetchOptions, type FetchSettings, readFetchOptions } from './request/options.ts'
import { recoverStream } from './send/recover-stream.ts'
import { type Fetch, type MessagesRequest, readRequest } from './request/messages-request.ts'
import { repairMessages } from './request/repair-request.ts'
import { openToScopes, scopeOf } from './send/scope.ts'

/**
 * Creates a `fetch` under which the streams of any Claude client survive. It recovers `POST …/v1/messages` and passes every
 * other request as it is.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function createFetch(options: FetchOptions = {}): Fetch {
  const settings = readFetchOptions(options)
  const own: Fetch = async (input, init) => {
    const scope = scopeOf(own)
    const request = await readRequest(input, init, settings.limits.requestBytes)
    if ('body' in request) return scope?.(settings, request) ?? send(settings, request)
    if (request.why !== undefined) settings.onWarning(passed(request.why, settings))
    return settings.fetch(request.input, request.init)
  }
  openToScopes(own)
  return own
}

function send(settings: FetchSettings, given: MessagesRequest): Promise<Response> {
  const request = repairMessages(given, settings)
  const { input, init, body } = request
  const { model, stream } = body
  const info = { model: typeof model === 'string' ? model : 'unknown', stream: stream === true }
  if (stream === true) return recoverStream(settings, request, observeRequest(settings, info))
  if (settings.upgrades(body)) return answerWhole(settings, request, observeRequest(settings, info))
  return settings.fetch(input, init)
}

function passed(why: 'too_large' | 'unreadable', { limits }: FetchSettings): MillraceError {
  const what =
    why === 'too_large'
      ? `the body has more than limits.requestBytes (${limits.requestBytes})`
      : 'the body is no JSON of a Messages request, or a stream'
  return new MillraceError('invalid_input', `request passed without recovery: ${what}`, { path: 'body' })
}
