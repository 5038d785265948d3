import { isRecord, parseJson } from '@millrace/core/kit'
import { chunkBytes, formatEvent, messageEvents } from '@millrace/testing/stream'
import { type JsonObject } from '../kit/json.ts'
import type { RecordedRun, RecordedTurn } from './recorded-run.ts'
import type { Variant } from './variant.ts'

/** The answer to a replayed request: a status, headers, and a body in the chunks in which it is sent. */
export interface ReplayAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: Iterable<Uint8Array>
}

/** A model that says what a recording says. */
export interface ReplayModel {
  /** The bodies that were asked with, in order. */
  readonly requests: readonly JsonObject[]
  /**
   * Returns the answer to a request's body. The first request gets the answer of the first turn, and so on, whatever it
   * asks. Returns undefined if the recorded connection failed.
   */
  answer(body: string): ReplayAnswer | undefined
}

/** How an answer is cut. */
type Cut = Pick<Variant, 'deltas' | 'chunks'>

export function createReplayModel(run: RecordedRun, cut: Cut): ReplayModel {
  const requests: JsonObject[] = []
  return {
    requests,
    answer(text) {
      const body = parseJson(text)
      const turn = run.turns[requests.length]
      requests.push(isRecord(body) ? body : {})
      if (turn === undefined) return answerBeyond(run)
      return isRecord(body) && body['stream'] === true ? streamed(turn, cut) : whole(turn)
    },
  }
}

/** Returns the recorded end if it was an error. Otherwise nothing more should have been asked. */
function answerBeyond({ end }: RecordedRun): ReplayAnswer | undefined {
  if (end.kind !== 'failed') return errorAnswer(400, 'invalid_request_error')
  const { answer } = end
  // An error event of a stream is replayed as an HTTP error, since both end the run.
  return answer.kind === 'broken'
    ? undefined
    : errorAnswer(answer.status < 400 ? 500 : answer.status, answer.type ?? 'api_error')
}

function errorAnswer(status: number, type: string): ReplayAnswer {
  const error = { type: 'error', error: { type, message: 'as recorded' } }
  return { status, headers: { 'content-type': 'application/json' }, chunks: encode(JSON.stringify(error)) }
}

function whole({ message }: RecordedTurn): ReplayAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, chunks: encode(JSON.stringify(message)) }
}

/** Returns a recorded stream as its bytes, and any other answer as the stream that would have brought it. */
function streamed({ answer, message }: RecordedTurn, cut: Cut): ReplayAnswer {
  const sse = answer.kind === 'stream' ? answer.sse : [...messageEvents(message, cut.deltas)].map(formatEvent).join('')
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, chunks: chunkBytes(sse, cut.chunks) }
}

function encode(text: string): Uint8Array[] {
  return [new TextEncoder().encode(text)]
}
