import type { BrokenReason, Cassette, Exchange, RecordedAnswer, RecordedMessage } from '../cassette/cassette.ts'
import { ParityError } from '../kit/errors.ts'
import { isSame, type JsonObject, without } from '../kit/json.ts'
import { isUnfinished } from '../record/open-runs.ts'
import { assembleMessage } from '../stream/assemble-message.ts'
import { readEvents } from '../stream/read-events.ts'

/** One turn of a recorded run: the request that was answered, and its answer. */
export interface RecordedTurn {
  readonly messages: readonly JsonObject[]
  /** The body without `messages` and `stream`. */
  readonly parameters: JsonObject
  readonly isStream: boolean
  readonly isBeta: boolean
  readonly answer: Extract<RecordedAnswer, { kind: 'message' | 'stream' }>
  /** What the answer holds. */
  readonly message: RecordedMessage
  /** Requests that it took, 1 where the first was answered. */
  readonly attempts: number
  /** Milliseconds since the epoch: of the first attempt's start, and of the answer's end. */
  readonly startedAt: number
  readonly endedAt: number
}

/** How a recorded run ended: with an answer that nothing follows, with an error, or outside of the recording. */
export type RunEnd =
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly answer: Extract<RecordedAnswer, { kind: 'error' | 'broken' }> }
  | { readonly kind: 'unfinished'; readonly why: string }

export interface RecordedRun {
  readonly id: string
  /** The messages that the run began with. */
  readonly first: Pick<RecordedTurn, 'messages' | 'parameters' | 'isBeta'>
  readonly turns: readonly RecordedTurn[]
  readonly end: RunEnd
  /** Requests that failed and were sent again. */
  readonly retries: number
  readonly startedAt: number
  readonly endedAt: number
}

interface FullExchange extends Exchange {
  readonly messages: readonly JsonObject[]
}

/** Why an answer is missing that the loop may have had: the loop, or the recorder, was the reason. */
const beyondRecording: Readonly<Record<BrokenReason, string | undefined>> = {
  connection_failed: undefined,
  cut: undefined,
  client_left: 'the loop left before the answer was whole',
  unfinished: 'the recording ended before the answer did',
  too_large: 'an answer was too large to be recorded',
  unreadable: 'an answer could not be read',
}

/**
 * Returns a cassette as the turns that a loop took.
 *
 * @throws ParityError `invalid_cassette` if a recorded stream holds no whole answer
 */
export function recordedRun({ id, exchanges }: Cassette): RecordedRun {
  const full = restoreMessages(exchanges)
  const turns: RecordedTurn[] = []
  let failed: FullExchange[] = []
  let end: RunEnd | undefined
  for (const [index, exchange] of full.entries()) {
    const previous = failed.at(-1)
    if (previous !== undefined && !isSame(previous.messages, exchange.messages)) {
      // The loop had an answer that the recording lacks, so nothing behind it can be replayed.
      end = { kind: 'unfinished', why: whyOf(previous) }
      break
    }
    const { answer } = exchange
    if (answer.kind === 'error' || answer.kind === 'broken') {
      failed.push(exchange)
      continue
    }
    turns.push(readTurn(exchange, answer, failed, `exchanges[${index}]`))
    failed = []
  }
  const [first] = full
  if (first === undefined) throw new ParityError('invalid_cassette', 'exchanges must hold at least one exchange')
  return {
    id,
    first: { messages: first.messages, parameters: parametersOf(first), isBeta: first.request.betas !== undefined },
    turns,
    end: end ?? endOf(failed.at(-1), turns.at(-1)),
    retries: full.length - turns.length,
    startedAt: first.startedAt,
    endedAt: Math.max(...full.map(({ startedAt, durationMs }) => startedAt + durationMs)),
  }
}

function restoreMessages(exchanges: readonly Exchange[]): FullExchange[] {
  let before: readonly JsonObject[] = []
  return exchanges.map((exchange) => {
    before = [...before.slice(0, exchange.request.kept), ...exchange.request.body.messages]
    return { ...exchange, messages: before }
  })
}

function readTurn(
  exchange: FullExchange,
  answer: RecordedTurn['answer'],
  failed: readonly FullExchange[],
  path: string,
): RecordedTurn {
  const { startedAt, durationMs, request, messages } = exchange
  return {
    messages,
    parameters: parametersOf(exchange),
    isStream: request.body['stream'] === true,
    isBeta: request.betas !== undefined,
    answer,
    message: answer.kind === 'message' ? answer.message : messageOf(answer.sse, `${path}.answer.sse`),
    attempts: failed.length + 1,
    startedAt: failed[0]?.startedAt ?? startedAt,
    endedAt: startedAt + durationMs,
  }
}

function messageOf(sse: string, path: string): RecordedMessage {
  const assembled = assembleMessage(readEvents(sse))
  if (assembled.status !== 'whole') {
    throw new ParityError('invalid_cassette', `${path} must be a stream that holds a whole answer`, { path })
  }
  return assembled.message
}

function parametersOf({ request }: Exchange): JsonObject {
  return without(request.body, 'messages', 'stream')
}

function endOf(failed: FullExchange | undefined, last: RecordedTurn | undefined): RunEnd {
  if (failed !== undefined) {
    const { answer } = failed
    if (answer.kind === 'error') return { kind: 'failed', answer }
    if (answer.kind === 'broken' && beyondRecording[answer.reason] === undefined) return { kind: 'failed', answer }
    return { kind: 'unfinished', why: whyOf(failed) }
  }
  return isUnfinished(last?.message.stop_reason)
    ? { kind: 'unfinished', why: 'the recording ended before the run did' }
    : { kind: 'finished' }
}

function whyOf({ answer }: Exchange): string {
  const why = answer.kind === 'broken' ? beyondRecording[answer.reason] : undefined
  return why ?? 'the loop went on from an answer that the recording does not hold'
}
