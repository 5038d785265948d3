import { type Clock, isMillraceError } from '@millrace/core'
import { encodeStream, type RunFormat, type RunResultBody, runIdHeader, type StreamEncoder } from '@millrace/wire'
import { eventsGone, problemBody, ProblemError, shutDownProblem } from '../http/problem.ts'
import { byteStream } from './byte-stream.ts'
import { createEncoder, type EncoderOptions } from './encoders.ts'
import { resultEncoder } from './result-encoder.ts'
import type { OpenResponses, ResponseKind } from './open-responses.ts'
import type { EventBatches } from './until-settled.ts'

/** What a response is made of: the events of a run, or its result. One of the two is asked for, once. */
export interface RunSource {
  readonly runId: string
  readonly batches: () => EventBatches
  readonly result: () => Promise<RunResultBody>
}

export interface RespondOptions extends EncoderOptions {
  readonly format: RunFormat
  readonly clock: Clock
  /** Quiet milliseconds before a heartbeat. */
  readonly heartbeat: number
  /** Milliseconds that the response may lie unread. */
  readonly stallTimeout: number
  /** Where a shutdown finds the response. Default: it does not. */
  readonly open?: { readonly responses: OpenResponses; readonly kind: ResponseKind }
  /** Called once, when nothing more will be sent. `left`: the client went, or stopped reading, before the end. */
  readonly onEnd: (end: { readonly left: boolean }) => void
  readonly onError: (error: unknown) => void
}

/**
 * Answers with a run, in any format. The response is there at once, with the run's id in a header. Its body is made as far
 * as it is read, and has a heartbeat in every format: proxies cut what is silent for about 100 s.
 */
export function respond(source: RunSource, options: RespondOptions): Response {
  const { format, clock, stallTimeout, open, onEnd, onError } = options
  const leaving = new AbortController()
  const { headers, chunks, end } =
    format === 'json' ? resultChunks(source, options, leaving) : eventChunks(source, { ...options, format }, leaving)
  const close = open?.responses.add(open.kind, end)
  const body = byteStream(chunks, {
    clock,
    stallTimeout,
    onEnd({ left, error }) {
      leaving.abort(responseEnded)
      close?.()
      if (error !== undefined && !isClients(error)) onError(error)
      onEnd({ left })
    },
  })
  return new Response(body, { headers: { ...headers, [runIdHeader]: source.runId } })
}

/** Nobody reads it. Without a reason, `abort` makes a DOMException and its stack for every response. */
const responseEnded = 'the response has ended'

/** Whether an error is the client's own: it stopped reading, or it came back too late. */
function isClients(error: unknown): boolean {
  return isMillraceError(error, 'connection_lost') || isMillraceError(error, 'events_missed')
}

interface Chunks {
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: AsyncIterable<Uint8Array>
  /** Ends the response where it is. */
  readonly end: () => void
}

function eventChunks(
  source: RunSource,
  options: RespondOptions & { readonly format: Exclude<RunFormat, 'json'> },
  leaving: AbortController,
): Chunks {
  const encoder = createEncoder(options.format, options)
  return { ...encode(encoder, source.batches(), options, leaving), end: () => leaving.abort(responseEnded) }
}

/** The status is sent before the result is there, so what fails after it is a problem in the body. */
function resultChunks(source: RunSource, options: RespondOptions, leaving: AbortController): Chunks {
  let end = (): void => undefined
  const ended = new Promise<object>((resolve) => (end = () => resolve(problemBody(shutDownProblem()))))
  async function* bodies(): AsyncIterable<readonly object[]> {
    yield [await Promise.race([source.result().catch(failedBody), ended])]
  }
  return { ...encode(resultEncoder, bodies(), options, leaving), end: () => end() }
}

function failedBody(error: unknown): object {
  if (isMillraceError(error, 'events_missed')) return problemBody(eventsGone())
  if (error instanceof ProblemError) return problemBody(error)
  throw error
}

function encode<Item>(
  encoder: StreamEncoder<Item>,
  batches: AsyncIterable<readonly Item[]>,
  { heartbeat, clock }: RespondOptions,
  { signal }: AbortController,
): Pick<Chunks, 'headers' | 'chunks'> {
  return {
    headers: encoder.headers,
    chunks: encodeStream(encoder, batches, { signal, heartbeatMs: heartbeat, clock }),
  }
}
