import { isRecord } from '@millrace/core/kit'
import { isList, isSame, type JsonObject } from '../kit/json.ts'
import { isUnfinished } from '../record/open-runs.ts'
import type { RecordedRun, RecordedTurn } from '../replay/recorded-run.ts'
import type { Replayed, SeenTurn } from '../replay/replay-run.ts'
import { differences, type ValueDifference } from './differences.ts'
import { type Normalisation, normaliseAnswer, normaliseMessages } from './normalise.ts'

/** A difference and its turn, which is 0 if it belongs to the whole run. */
export interface RunDifference extends ValueDifference {
  readonly turn: number
}

/** What the replay of a run showed. */
export interface RunComparison {
  readonly differences: readonly RunDifference[]
  /** How often something was ignored on one side alone. */
  readonly normalised: ReadonlyMap<Normalisation, number>
}

type Ran = Extract<Replayed, { status: 'ran' }>

/** Counts each side apart, since what both sides have equally often is not worth telling. */
interface Counts {
  readonly expected: (name: Normalisation) => void
  readonly actual: (name: Normalisation) => void
  total(): ReadonlyMap<Normalisation, number>
}

function createCounts(): Counts {
  const balance = new Map<Normalisation, number>()
  const add = (name: Normalisation, by: number): void => void balance.set(name, (balance.get(name) ?? 0) + by)
  return {
    expected: (name) => add(name, 1),
    actual: (name) => add(name, -1),
    total: () =>
      new Map([...balance].flatMap(([name, count]) => (count === 0 ? [] : [[name, Math.abs(count)] as const]))),
  }
}

/** Compares what Millrace made of a run with what was recorded. */
export function compareRun(run: RecordedRun, replayed: Replayed): RunComparison {
  if (replayed.status === 'refused') {
    const refused = { turn: 0, path: 'run', expected: 'accepted', actual: `refused: ${replayed.message}` }
    return { differences: [refused], normalised: new Map() }
  }
  const counts = createCounts()
  const found: RunDifference[] = []
  for (const [index, turn] of run.turns.entries()) {
    found.push(...compareTurn(turn, index, replayed, counts))
    // After an answer that never came, everything else is missing too.
    if (replayed.turns[index]?.status !== 'whole') return { differences: found, normalised: counts.total() }
  }
  found.push(...compareCalls(run, replayed), ...compareEnd(run, replayed, counts))
  return { differences: withoutRepeats(found, run.turns.length), normalised: counts.total() }
}

function compareTurn(turn: RecordedTurn, index: number, replayed: Ran, counts: Counts): RunDifference[] {
  const inTurn = (difference: ValueDifference): RunDifference => ({ turn: index + 1, ...difference })
  const request = replayed.requests[index]
  const requested = request === undefined ? [] : compareRequest(turn, request, counts)
  return [...requested, ...compareAnswer(turn, replayed.turns[index], counts)].map(inTurn)
}

function compareRequest(turn: RecordedTurn, request: JsonObject, counts: Counts): ValueDifference[] {
  const { messages, stream, container, ...parameters } = request
  if ((stream === true) !== turn.isStream) counts.actual('stream')
  const { container: expectedContainer, ...expected } = turn.parameters
  // A loop that does not carry its container forward gets another one each time.
  const isCarried = expectedContainer === undefined && container !== undefined
  if (isCarried) counts.actual('container')
  return [
    ...differences(expected, parameters, 'request'),
    ...(isCarried ? [] : differences(expectedContainer, container, 'request.container')),
    ...differences(
      normaliseMessages(turn.messages, counts.expected),
      normaliseMessages(isList(messages) ? messages.filter(isRecord) : [], counts.actual),
      'request.messages',
    ),
  ]
}

function compareAnswer(turn: RecordedTurn, seen: SeenTurn | undefined, counts: Counts): ValueDifference[] {
  if (seen === undefined) return [{ path: 'answer', expected: 'whole', actual: 'never asked for' }]
  if (seen.status === 'broken') return [{ path: 'answer', expected: 'whole', actual: `broken: ${seen.code}` }]
  const expected = normaliseAnswer(turn.message, counts.expected)
  return differences(expected, normaliseAnswer(seen.message, counts.actual), 'answer')
}

/** Compares the calls that should be made, turn by turn, with those that were. */
function compareCalls(run: RecordedRun, { calls }: Ran): RunDifference[] {
  const expected = run.turns.flatMap(({ message }, index) =>
    isUnfinished(message.stop_reason)
      ? message.content.flatMap(({ type, id, name, input }) =>
          type === 'tool_use' ? [{ turn: index + 1, call: { id, name, input } }] : [],
        )
      : [],
  )
  const compared = expected.flatMap(({ turn, call }, index) =>
    differences(call, calls[index], `calls[${index}]`).map((difference) => ({ turn, ...difference })),
  )
  const surplus = calls.slice(expected.length).map((call, index) => ({
    turn: 0,
    path: `calls[${expected.length + index}]`,
    actual: call,
  }))
  return [...compared, ...surplus]
}

function compareEnd(run: RecordedRun, replayed: Ran, counts: Counts): RunDifference[] {
  const { result, requests } = replayed
  const asked = run.turns.length + (run.end.kind === 'failed' ? 1 : 0)
  const last = run.turns.at(-1)
  const found: ValueDifference[] = []
  if (requests.length !== asked) found.push({ path: 'requests', expected: asked, actual: requests.length })
  if (last === undefined || run.end.kind !== 'finished') {
    const failed = run.end.kind === 'failed'
    if (failed && result.outcome !== 'failed')
      found.push({ path: 'outcome', expected: 'failed', actual: result.outcome })
    return found.map((difference) => ({ turn: 0, ...difference }))
  }
  if (result.outcome === 'failed') {
    found.push({ path: 'outcome', expected: 'an end without an error', actual: `failed: ${result.error ?? ''}` })
  }
  found.push(...differences(last.message.stop_reason, result.stopReason, 'stopReason'))
  found.push(...differences(sumOfUsage(run), pickCounted(result.usage), 'usage'))
  found.push(...compareHistory(last, result.messages, counts))
  return found.map((difference) => ({ turn: 0, ...difference }))
}

/** Returns the conversation before the next question: the last request and its answer. */
function compareHistory(last: RecordedTurn, messages: readonly JsonObject[], counts: Counts): ValueDifference[] {
  const isRefused = last.message.stop_reason === 'refusal'
  if (isRefused) counts.actual('refused_turn')
  const answer = isRefused ? [] : [{ role: 'assistant', content: last.message.content }]
  const expected = normaliseMessages([...last.messages, ...answer], counts.expected)
  const actual = normaliseMessages(messages, counts.actual)
  const answered = actual.at(-1)
  const isClosed = actual.length === expected.length + 1 && answered?.['role'] === 'user'
  const hasCalls = last.message.content.some(({ type }) => type === 'tool_use')
  if (isClosed && hasCalls) counts.actual('unrun_calls')
  return differences(expected, isClosed && hasCalls ? actual.slice(0, -1) : actual, 'history')
}

/** Returns the counts that every turn has. Other fields of usage are compared turn by turn. */
const counted = ['input_tokens', 'output_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'] as const

function sumOfUsage({ turns }: RecordedRun): JsonObject {
  const sums = counted.map((field) => {
    const values = turns.map(({ message }) => message.usage[field]).filter((value) => typeof value === 'number')
    return [field, values.reduce((sum, value) => sum + value, 0)] as const
  })
  return Object.fromEntries(sums)
}

function pickCounted(usage: JsonObject): JsonObject {
  return Object.fromEntries(counted.map((field) => [field, typeof usage[field] === 'number' ? usage[field] : 0]))
}

/**
 * Returns the differences without those that repeat an earlier one, as a wrong answer does in the next request and in
 * history.
 */
function withoutRepeats(found: readonly RunDifference[], lastTurn: number): RunDifference[] {
  // The history is the last request and its answer, so a message that one lacks is missing in the other as well.
  const isShifted = found.some(({ turn, path }) => turn === lastTurn && listOfMessages.test(path))
  const told: RunDifference[] = []
  for (const difference of found) {
    const isTold = told.some(
      (earlier) =>
        isSamePlace(earlier, difference) &&
        isSame(earlier.expected, difference.expected) &&
        isSame(earlier.actual, difference.actual),
    )
    const isShift = isShifted && difference.turn === 0 && listOfMessages.test(difference.path)
    if (!isTold && !isShift) told.push(difference)
  }
  return told
}

/** Matches the path of a whole message, or of the number of messages. */
const listOfMessages = /^(?:history|request\.messages)(?:\[\d+\]|\.length)$/

/** Returns one name for paths of the same value, such as `history[3].content[0].text` and `answer.content[0].text`. */
function isSamePlace(earlier: RunDifference, later: RunDifference): boolean {
  const place = placeInMessage(earlier.path)
  const ofCall = /^calls\[\d+\](\..*)$/s.exec(later.path)?.[1]
  return place === placeInMessage(later.path) || (ofCall !== undefined && place.endsWith(ofCall))
}

function placeInMessage(path: string): string {
  const inMessage = /^(?:answer|history\[\d+\]|request\.messages\[\d+\])\.(.*)$/s.exec(path)
  return inMessage?.[1] ?? path
}
