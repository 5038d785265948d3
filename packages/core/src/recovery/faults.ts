import { type ErrorCode, type FaultCode, isMillraceError, MillraceError } from '../errors.ts'
import { isRecord } from '../messages.ts'
import { readRetryAfter } from './retry-after.ts'

/** What a client is told of each fault, and whether asking again may help. */
const faults: Readonly<Record<FaultCode, { readonly message: string; readonly retryable: boolean }>> = {
  authentication: { message: 'The model API refused the credentials', retryable: false },
  bad_request: { message: 'The model API refused the request', retryable: false },
  billing: { message: 'The model API refused the request for billing reasons', retryable: false },
  buffer_overflow: { message: 'The model API sent more at once than can be held', retryable: false },
  conflict: { message: 'The model API reported a conflict', retryable: true },
  connect_timeout: { message: 'The model API did not answer in time', retryable: true },
  connection_failed: { message: 'The model API could not be reached', retryable: true },
  connection_lost: { message: 'The connection to the model API was lost', retryable: true },
  content_timeout: { message: 'The model API sent no content in time', retryable: true },
  garbage: { message: 'The model API sent something that cannot be read', retryable: true },
  idle_timeout: { message: 'The connection to the model API fell silent', retryable: true },
  internal: { message: 'The request failed inside this service', retryable: true },
  invalid_tool_input: { message: 'The model gave a tool an input that is no JSON object', retryable: true },
  not_a_stream: { message: 'The model API answered with something that is no event stream', retryable: true },
  not_found: { message: 'The model API does not know this model or resource', retryable: false },
  overloaded: { message: 'The model API is overloaded', retryable: true },
  permission: { message: 'The model API refused permission', retryable: false },
  protocol_error: { message: 'The model API sent events that do not fit together', retryable: true },
  rate_limited: { message: 'The model API limits the rate of requests', retryable: true },
  request_timeout: { message: 'The model API timed out', retryable: true },
  request_too_large: { message: 'The request is too large for the model API', retryable: false },
  server_error: { message: 'The model API failed', retryable: true },
  stream_error: { message: 'The model API ended the stream with an error', retryable: true },
  truncated: { message: 'The stream of the model API ended before the answer was whole', retryable: true },
}

/** A fault with the message that a client may see; the original error stays in `cause`. */
export function fault(
  code: FaultCode,
  details: { cause?: unknown; status?: number; requestId?: string; retryAfterMs?: number } = {},
): MillraceError {
  const { message, retryable } = faults[code]
  return new MillraceError(code, message, { ...details, retryable })
}

export function isFaultCode(code: ErrorCode): code is FaultCode {
  return Object.hasOwn(faults, code)
}

/** Faults that say nothing about streaming: the model's load, the request, or what the model wrote. */
const notOfTheStream = new Set<ErrorCode>(['conflict', 'invalid_tool_input', 'overloaded', 'rate_limited'])

/** Whether a failed attempt counts against the stream path. */
export function isStreamFault(error: MillraceError): boolean {
  return error.retryable && !notOfTheStream.has(error.code)
}

/** The fault of an HTTP status. */
function faultOfStatus(status: number): FaultCode {
  switch (status) {
    case 400:
    case 422:
      return 'bad_request'
    case 401:
      return 'authentication'
    case 402:
      return 'billing'
    case 403:
      return 'permission'
    case 404:
      return 'not_found'
    case 408:
      return 'request_timeout'
    case 409:
      return 'conflict'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limited'
    case 529:
      return 'overloaded'
    default:
      return status >= 500 ? 'server_error' : 'bad_request'
  }
}

/** The fault of an API error's `type`; Bedrock's exceptions come in camel case. */
function faultOfType(type: string): FaultCode {
  switch (type) {
    case 'invalid_request_error':
    case 'validationException':
      return 'bad_request'
    case 'authentication_error':
      return 'authentication'
    case 'billing_error':
      return 'billing'
    case 'permission_error':
      return 'permission'
    case 'not_found_error':
      return 'not_found'
    case 'request_too_large':
      return 'request_too_large'
    case 'rate_limit_error':
    case 'throttlingException':
      return 'rate_limited'
    case 'overloaded_error':
    case 'serviceUnavailableException':
      return 'overloaded'
    case 'timeout_error':
    case 'modelTimeoutException':
      return 'request_timeout'
    case 'api_error':
    case 'internalServerException':
      return 'server_error'
    default:
      return 'stream_error'
  }
}

/** The fault that an `error` event of the stream stands for. */
export function faultOfErrorEvent(body: unknown, requestId: string | undefined): MillraceError {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {}
  const type = typeof error['type'] === 'string' ? error['type'] : ''
  return fault(faultOfType(type), { cause: body, ...(requestId !== undefined && { requestId }) })
}

/** The error and its causes, outermost first; at most eight, since a cause may be a circle. */
function* causes(error: unknown): Generator<Readonly<Record<string, unknown>>> {
  let current: unknown = error
  for (let depth = 0; depth < 8 && typeof current === 'object' && current !== null; depth++) {
    const fields: Record<string, unknown> = {}
    for (const key of ['name', 'code', 'status', 'type', 'headers', 'requestID', 'message', 'cause']) {
      fields[key] = Reflect.get(current, key)
    }
    yield fields
    current = fields['cause']
  }
}

const connectionCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ConnectionRefused',
])

const lostCodes = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ConnectionClosed'])

/** Whether `error` says that the HTTP client's own limit on waiting was hit (300 s for Node's fetch). */
export function isClientLimit(error: unknown): boolean {
  for (const { code, name } of causes(error)) {
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return true
    if (name === 'HeadersTimeoutError' || name === 'BodyTimeoutError') return true
  }
  return false
}

/**
 * What a thrown error means, recognised by its fields and never by its class. `open`: whether the answer's headers
 * had arrived.
 */
export function toFault(error: unknown, open: boolean, now: number): MillraceError {
  if (isMillraceError(error)) return error
  for (const { name, code, status, type, headers, requestID } of causes(error)) {
    const requestId = typeof requestID === 'string' ? requestID : undefined
    const details = { cause: error, ...(requestId !== undefined && { requestId }) }
    if (typeof status === 'number' && status >= 400) {
      const retryAfterMs = readRetryAfter(headers, now)
      return fault(faultOfStatus(status), { ...details, status, ...(retryAfterMs !== undefined && { retryAfterMs }) })
    }
    if (typeof type === 'string' && type !== '' && type !== 'system') return fault(faultOfType(type), details)
    if (name === 'SyntaxError') return fault('garbage', details)
    if (name === 'APIConnectionTimeoutError') return fault('connect_timeout', details)
    if (isClientLimit(error)) return fault(open ? 'idle_timeout' : 'connect_timeout', details)
    if (typeof code === 'string' && connectionCodes.has(code)) return fault('connection_failed', details)
    if (typeof code === 'string' && lostCodes.has(code))
      return fault(open ? 'connection_lost' : 'connection_failed', details)
  }
  const [outermost] = causes(error)
  const name = outermost?.['name']
  if (!open && name === 'APIConnectionError') return fault('connection_failed', { cause: error })
  // A body that breaks off is a bare TypeError ("terminated") of fetch, on every runtime another one.
  if (open) return fault('connection_lost', { cause: error })
  return fault('internal', { cause: error })
}
