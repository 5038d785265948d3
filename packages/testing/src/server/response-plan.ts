import { constants, gzipSync } from 'node:zlib'
import { type Answer, answerEvents, countTokens, messageJson } from '../script/answer.ts'
import type { FaultPosition } from '../faults/fault.ts'
import { isObject, isString } from '../kit/guards.ts'
import { formatEvent, type StreamEvent } from '../stream/sse.ts'
import type { Pace } from '../script/turn.ts'

/** One thing that the server does while it answers. The body ends regularly after the last step. */
export type Step =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array; readonly event?: StreamEvent }
  | { readonly type: 'wait'; readonly ms: number }
  /** Sends nothing more, or only a ping in each interval of `pingEvery` ms, until the client leaves. */
  | { readonly type: 'hang'; readonly pingEvery?: number | undefined }
  /** Closes the socket at once (FIN). */
  | { readonly type: 'destroy' }
  /** Resets the connection (RST). */
  | { readonly type: 'reset' }
  /** Announces a chunk that is longer than what follows, and closes the socket. */
  | { readonly type: 'break-chunk'; readonly bytes: Uint8Array }

/** What is sent as a response, and how it ends. */
export interface ResponsePlan {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  /** Taken before the headers are sent. */
  readonly beforeHeaders: readonly Step[]
  readonly steps: Iterable<Step>
}

const encoder = new TextEncoder()

export function bytesStep(text: string, event?: StreamEvent): Step {
  const bytes = encoder.encode(text)
  return event === undefined ? { type: 'bytes', bytes } : { type: 'bytes', bytes, event }
}

/** Returns the response that streams an answer. */
export function streamPlan(events: Iterable<StreamEvent>, pace: Pace, requestId: string): ResponsePlan {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'request-id': requestId,
    },
    beforeHeaders: [],
    steps: streamSteps(events, pace),
  }
}

function* streamSteps(events: Iterable<StreamEvent>, pace: Pace): Generator<Step> {
  for (const event of events) {
    const ms = eventDelay(event, pace)
    if (ms > 0) yield { type: 'wait', ms }
    yield bytesStep(formatEvent(event), event)
  }
}

function eventDelay(event: StreamEvent, pace: Pace): number {
  if (pace === 'fast') return 0
  if ('eventDelay' in pace) return pace.eventDelay
  const { delta } = event
  if (!isObject(delta)) return 0
  const text = delta.text ?? delta.thinking ?? delta.partial_json
  return isString(text) ? (text.length / 4 / pace.tokensPerSecond) * 1000 : 0
}

/** Returns the response that holds an answer as one JSON body. */
export function jsonPlan(answer: Answer, pace: Pace, requestId: string): ResponsePlan {
  const ms = answerDelay(answer, pace)
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'request-id': requestId },
    beforeHeaders: ms > 0 ? [{ type: 'wait', ms }] : [],
    steps: jsonSteps(answer),
  }
}

function* jsonSteps(answer: Answer): Generator<Step> {
  for (const piece of messageJson(answer)) yield bytesStep(piece)
}

function answerDelay(answer: Answer, pace: Pace): number {
  if (pace === 'fast') return 0
  if ('tokensPerSecond' in pace) {
    const tokens = answer.content.reduce((sum, block) => sum + countTokens(block), 0)
    return (tokens / pace.tokensPerSecond) * 1000
  }
  // Counted one by one: a list of all events would hold the whole answer.
  let count = 0
  const events = answerEvents(answer)[Symbol.iterator]()
  while (events.next().done !== true) count++
  return count * pace.eventDelay
}

/** Returns the API's name for the error of a status. */
function errorType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 402:
      return 'billing_error'
    case 403:
      return 'permission_error'
    case 404:
      return 'not_found_error'
    case 408:
    case 504:
      return 'timeout_error'
    case 409:
      return 'conflict_error'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limit_error'
    case 529:
      return 'overloaded_error'
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error'
  }
}

/** Returns an error in the API's shape. */
export function errorPlan(
  status: number,
  message: string,
  requestId: string,
  headers: { readonly [name: string]: string } = {},
): ResponsePlan {
  const body = { type: 'error', error: { type: errorType(status), message }, request_id: requestId }
  return {
    status,
    headers: { 'content-type': 'application/json', 'request-id': requestId, ...headers },
    beforeHeaders: [],
    steps: [bytesStep(JSON.stringify(body))],
  }
}

/** Returns the HTTP status of an error of this type. An unknown type is a 500. */
export function statusOfError(type: string): number {
  return [401, 402, 403, 404, 408, 409, 413, 429, 529, 400].find((status) => errorType(status) === type) ?? 500
}

/** Yields the steps up to a position, then `instead`. */
export function* cutSteps(
  steps: Iterable<Step>,
  at: FaultPosition | undefined,
  instead: readonly Step[],
): Generator<Step> {
  const list = 'byte' in (at ?? {}) ? steps : [...steps]
  yield* stepsUpTo(list, resolvePosition(list, at))
  yield* instead
}

/** Returns where to cut. A body without events is cut in its middle. */
function resolvePosition(steps: Iterable<Step>, at: FaultPosition | undefined): FaultPosition {
  if (at !== undefined && 'byte' in at) return at
  let length = 0
  for (const step of steps) {
    if (step.type !== 'bytes') continue
    if (step.event !== undefined) return at ?? { event: 0 }
    length += step.bytes.length
  }
  return { byte: Math.floor(length / 2) }
}

function* stepsUpTo(steps: Iterable<Step>, at: FaultPosition): Generator<Step> {
  let index = 0
  let left = 'byte' in at ? at.byte : Number.POSITIVE_INFINITY
  for (const step of steps) {
    if (step.type !== 'bytes') {
      yield step
      continue
    }
    if ('event' in at && step.event !== undefined && index++ === at.event) return
    if (step.bytes.length >= left) {
      yield { type: 'bytes', bytes: step.bytes.subarray(0, left) }
      return
    }
    yield step
    left -= step.bytes.length
  }
}

/** Returns the bytes up to a position. */
export function cutBytes(steps: Iterable<Step>, at: FaultPosition | undefined): Uint8Array {
  return Buffer.concat([...cutSteps(steps, at, [])].flatMap((step) => (step.type === 'bytes' ? [step.bytes] : [])))
}

/** Returns the response with these bytes as its body, compressed. Unless `whole`, the trailer is missing. */
export function gzipBody(plan: ResponsePlan, bytes: Uint8Array, whole: boolean): ResponsePlan {
  const compressed = gzipSync(bytes, { finishFlush: whole ? constants.Z_FINISH : constants.Z_SYNC_FLUSH })
  return {
    ...plan,
    headers: { ...plan.headers, 'content-encoding': 'gzip' },
    steps: [{ type: 'bytes', bytes: compressed }],
  }
}
