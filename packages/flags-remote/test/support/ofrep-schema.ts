import { Ajv } from 'ajv'

/**
 * What OFREP answers, as JSON Schema: a rendering in our own words of OFREP's OpenAPI document 0.3.0 (`service/openapi.yaml` and
 * `service/event-streams.yaml` of the protocol, ADR 8 included). Read narrowly where it names values; in two places it cannot be
 * taken by the letter, and is read as it is meant:
 *
 * - The type of a value is `oneOf` boolean, string, integer, float, object and "no value". An integer is a float as well, and
 *   everything is "no value", which only says nothing about one: `anyOf` here, and no value at all for the last.
 * - Its example of a bulk answer has a `FLAG_NOT_FOUND` among the flags, which its schema leaves out. The schema counts here.
 */
const text = { type: 'string' }
const metadata = { type: 'object', additionalProperties: { type: ['boolean', 'string', 'number'] } }

const context = { type: 'object', required: ['targetingKey'], properties: { targetingKey: text } }

const evaluationSuccess = {
  type: 'object',
  required: ['key', 'reason'],
  properties: {
    key: text,
    reason: { enum: ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'UNKNOWN'] },
    variant: text,
    metadata,
    value: { type: ['boolean', 'string', 'number', 'object'] },
  },
  not: { required: ['errorCode'] },
}

const failureWith = (...codes: string[]): object => ({
  type: 'object',
  required: ['key', 'errorCode'],
  properties: { key: text, errorCode: { enum: codes }, errorDetails: text, metadata },
})
const evaluationFailure = failureWith('PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'GENERAL')

const eventStream = {
  type: 'object',
  required: ['type'],
  oneOf: [
    { required: ['url'], not: { required: ['endpoint'] } },
    { required: ['endpoint'], not: { required: ['url'] } },
  ],
  properties: {
    type: text,
    url: { type: 'string', pattern: '^[a-z][a-z0-9+.-]*:' },
    endpoint: {
      type: 'object',
      required: ['requestUri'],
      properties: {
        origin: { type: 'string', pattern: '^[a-z][a-z0-9+.-]*:' },
        requestUri: { type: 'string', pattern: '^/' },
      },
    },
    inactivityDelaySec: { type: 'integer', minimum: 1 },
  },
}

const ajv = new Ajv({ allowUnionTypes: true, strictRequired: false })

/** Says what is wrong with a value; empty where nothing is. */
export type Check = (value: unknown) => readonly string[]

function check(schema: object): Check {
  const validate = ajv.compile(schema)
  return (value) => {
    validate(value)
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`)
  }
}

/** Both requests have one shape. */
export const checkRequest: Check = check({ type: 'object', required: ['context'], properties: { context } })

/** What a change stream says, in the `data` of a server-sent event. */
export const checkStreamMessage: Check = check({
  type: 'object',
  required: ['type'],
  properties: {
    type: text,
    etag: text,
    lastModified: {
      anyOf: [
        { type: 'integer', minimum: 0 },
        { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT' },
      ],
    },
  },
})

const nothing: Check = (body) => (body === undefined ? [] : [' must not be there'])
/** The document describes no body, and forbids none. */
const anything: Check = () => []
const generalError = check({ type: 'object', properties: { errorDetails: text } })

const bodies: Readonly<Record<'single' | 'bulk', Readonly<Record<number, Check>>>> = {
  single: {
    200: check(evaluationSuccess),
    400: check(evaluationFailure),
    401: anything,
    403: anything,
    404: check(failureWith('FLAG_NOT_FOUND')),
    429: anything,
    500: generalError,
  },
  bulk: {
    200: check({
      type: 'object',
      required: ['flags'],
      properties: {
        flags: { type: 'array', items: { anyOf: [evaluationSuccess, evaluationFailure] } },
        metadata,
        eventStreams: { type: 'array', items: eventStream },
      },
    }),
    304: nothing,
    400: check({ type: 'object', required: ['errorCode'], properties: { errorCode: text, errorDetails: text } }),
    401: anything,
    403: anything,
    429: anything,
    500: generalError,
  },
}

export interface OfrepAnswer {
  readonly status: number
  readonly headers: Headers
  /** As parsed; undefined where there was none. */
  readonly body: unknown
}

/** Says what the answer of an endpoint breaks of the protocol; empty where it breaks nothing. */
export function checkAnswer(endpoint: 'single' | 'bulk', { status, headers, body }: OfrepAnswer): readonly string[] {
  const checkBody = bodies[endpoint][status]
  if (checkBody === undefined) return [`status ${status} is none of this endpoint`]
  const problems = [...checkBody(body)]
  const type = headers.get('content-type')
  if (body !== undefined && type?.startsWith('application/json') !== true) problems.push('content-type must be JSON')
  if (endpoint === 'bulk' && status === 200 && headers.get('etag') === null) problems.push('etag is missing')
  const retryAfter = headers.get('retry-after')
  if (status === 429 && retryAfter !== null && !/^\d+$|^\d{4}-\d\d-\d\dT/.test(retryAfter)) {
    problems.push('retry-after must be seconds or a date-time')
  }
  return problems
}
