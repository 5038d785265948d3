import { defined } from '../kit/defined.ts'
import { type ErrorCode, type FaultCode, isMillraceError, MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import { readRetryAfter } from './retry-after.ts'

/** What a client is told of each fault, after "The model API ". */
const messages: Readonly<Record<FaultCode, string>> = {
  authentication: 'refused the credentials',
  bad_request: 'refused the request',
  billing: 'refused the request for billing reasons',
  buffer_overflow: 'sent too much at once',
  conflict: 'reported a conflict',
  connect_timeout: 'did not answer in time',
  connection_failed: 'could not be reached',
  connection_lost: 'was lost in the middle of its answer',
  content_timeout: 'sent too little content in time',
  empty_answer: 'sent an empty answer',
  garbage: 'sent an answer that cannot be read',
  idle_timeout: 'fell silent in the middle of its answer',
  internal: 'could not be asked',
  invalid_tool_input: 'sent a tool input that is not a JSON object',
  not_a_stream: 'sent an answer that is not an event stream',
  not_found: 'does not know this model or resource',
  overloaded: 'is overloaded',
  permission: 'refused permission',
  protocol_error: 'sent events that do not fit together',
  rate_limited: 'limits the rate of requests',
  request_timeout: 'timed out',
  request_too_large: 'refused the request as too large',
  server_error: 'failed',
  stream_error: 'ended its answer with an error',
  truncated: 'ended its answer too early',
}

/** Asking the same again would fail the same. */
const final = new Set<ErrorCode>([
  'authentication',
  'bad_request',
  'billing',
  'buffer_overflow',
  'not_found',
  'permission',
  'request_too_large',
])

/** A fault with the message that a client may see; the original error stays in `cause`. */
export function fault(
  code: FaultCode,
  details: { cause?: unknown; status?: number; requestId?: string; retryAfterMs?: number } = {},
): MillraceError {
  return new MillraceError(code, `The model API ${messages[code]}`, { ...details, retryable: !final.has(code) })
}

/** Returns why a request failed, as events say it: anything that is not a fault is `internal`. */
export function reasonOf({ code }: MillraceError): FaultCode {
  return isFaultCode(code) ? code : 'internal'
}

function isFaultCode(code: ErrorCode): code is FaultCode {
  return Object.hasOwn(messages, code)
}

/** Faults that say nothing about streaming: the model's load, the request, or what the model wrote. */
const notOfTheStream = new Set<ErrorCode>(['conflict', 'invalid_tool_input', 'overloaded', 'rate_limited'])

/** Whether a failed attempt counts against the stream path. */
export function isStreamFault(error: MillraceError): boolean {
  return error.retryable && !notOfTheStream.has(error.code)
}

const faultOfStatus: Readonly<Record<number, FaultCode>> = {
  401: 'authentication',
  402: 'billing',
  403: 'permission',
  404: 'not_found',
  408: 'request_timeout',
  409: 'conflict',
  413: 'request_too_large',
  429: 'rate_limited',
  529: 'overloaded',
}

/** By an API error's `type`, unless that is the fault's own name; Bedrock's exceptions come in camel case. */
const faultOfType: Readonly<Record<string, FaultCode>> = {
  invalid_request_error: 'bad_request',
  validationException: 'bad_request',
  rate_limit_error: 'rate_limited',
  throttlingException: 'rate_limited',
  serviceUnavailableException: 'overloaded',
  timeout_error: 'request_timeout',
  modelTimeoutException: 'request_timeout',
  api_error: 'server_error',
  internalServerException: 'server_error',
}

function readType(type: string): FaultCode {
  const name = type.replace(/_error$/, '')
  const known = Object.values(faultOfStatus).find((code) => code === name)
  return known ?? (Object.hasOwn(faultOfType, type) ? faultOfType[type] : undefined) ?? 'stream_error'
}

function readStatus(status: number): FaultCode {
  return faultOfStatus[status] ?? (status >= 500 ? 'server_error' : 'bad_request')
}

/** The fault that an `error` event of the stream stands for. */
export function faultOfErrorEvent(body: unknown, requestId: string | undefined): MillraceError {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {}
  const type = typeof error['type'] === 'string' ? error['type'] : ''
  return fault(readType(type), { cause: body, ...defined({ requestId }) })
}

/** The error and its causes, outermost first; at most eight, since a cause may be a circle. */
function* causes(error: unknown): Generator<Readonly<Record<string, unknown>>> {
  let current: unknown = error
  for (let depth = 0; depth < 8 && isRecord(current); depth++) {
    yield current
    current = current['cause']
  }
}

/** Codes of errors of the network: those of the system, of undici, and of Bun. */
const networkCode = /^(E(?!RR_)[A-Z]|UND_ERR_SOCKET|Connection)/

/** The HTTP client's own limits: the code of undici, and the name of the SDK's error, which keeps no cause. */
const clientLimit = /^UND_ERR_(HEADERS|BODY)_TIMEOUT|^APIConnectionTimeout/

/** Whether `error` says that the HTTP client's own limit on waiting was hit (300 s for Node's fetch). */
export function isClientLimit(error: unknown): boolean {
  return [...causes(error)].some(({ code, name }) => clientLimit.test(String(code)) || clientLimit.test(String(name)))
}

/** Returns the fault that one error says, without its causes. `open`: whether the answer's headers had arrived. */
function readError(
  { name, code, status, type }: Readonly<Record<string, unknown>>,
  open: boolean,
): FaultCode | undefined {
  if (typeof status === 'number' && status >= 400) return readStatus(status)
  if (typeof type === 'string' && type !== '' && type !== 'system') return readType(type)
  if (name === 'SyntaxError') return 'garbage'
  if (isClientLimit({ code, name })) return open ? 'idle_timeout' : 'connect_timeout'
  if (networkCode.test(String(code))) return open ? 'connection_lost' : 'connection_failed'
  return undefined
}

/** Returns what a thrown error means, recognised by its fields and never by its class. */
export function toFault(error: unknown, open: boolean, now: number): MillraceError {
  if (isMillraceError(error)) return error
  for (const cause of causes(error)) {
    const code = readError(cause, open)
    if (code === undefined) continue
    const { status, headers, requestID } = cause
    const requestId = typeof requestID === 'string' ? requestID : undefined
    const known = { requestId, status: Number(status) || undefined, retryAfterMs: readRetryAfter(headers, now) }
    return fault(code, { cause: error, ...defined(known) })
  }
  // A body that breaks off is a bare TypeError ("terminated") of fetch, on every runtime another one.
  if (open) return fault('connection_lost', { cause: error })
  const { name, message }: Readonly<Record<string, unknown>> = isRecord(error) ? error : {}
  if (name === 'APIConnectionError') return fault('connection_failed', { cause: error })
  // The SDK has found no key to send.
  return fault(/authentication method/.test(String(message)) ? 'authentication' : 'internal', { cause: error })
}
