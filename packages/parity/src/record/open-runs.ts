import { checksum } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { RecordedAnswer, RecordedMessage } from '../cassette/cassette.ts'
import { isList, type JsonObject } from '../kit/json.ts'

/** What is remembered about a run's last exchange, to recognise the request that follows it. */
export interface LastExchange {
  /** A key for each message of its request. */
  readonly keys: readonly string[]
  /** Undefined until the answer has come. */
  answer: RecordedAnswer | undefined
  /** The ids of the calls in the answer. */
  calls: ReadonlySet<string>
  stopReason: string | undefined
}

/** How a request may follow a run's last exchange. */
type Fit = 'results' | 'continued' | 'retried'

/** Answers after which a loop asks again, in the same run. */
const askedAgain: ReadonlySet<string | undefined> = new Set(['tool_use', 'pause_turn', 'compaction'])

/** Whether a loop asks again after an answer with this stop reason. */
export function isUnfinished(stopReason: string | undefined): boolean {
  return askedAgain.has(stopReason)
}

/**
 * Returns the run that a request belongs to, the latest first: one whose calls it answers, whose failed request it
 * repeats, or that it continues after a pause. Returns undefined if it begins a run.
 */
export function findRun<Run extends { readonly last: LastExchange }>(
  runs: Iterable<Run>,
  messages: readonly JsonObject[],
): Run | undefined {
  const keys = messages.map(messageKey)
  const answered = resultIds(messages.at(-1))
  const fits = new Map<Fit, Run>()
  for (const run of runs) {
    const fit = fitOf(run.last, keys, answered)
    if (fit !== undefined) fits.set(fit, run)
  }
  return fits.get('results') ?? fits.get('continued') ?? fits.get('retried')
}

/** Whether a request can only follow an answer, since it has results or ends with what the assistant said. */
export function goesOn(messages: readonly JsonObject[]): boolean {
  const last = messages.at(-1)
  return last?.['role'] === 'assistant' || resultIds(last).size > 0
}

/** Returns what is to be remembered about a request. */
export function rememberRequest(messages: readonly JsonObject[]): LastExchange {
  return { keys: messages.map(messageKey), answer: undefined, calls: new Set(), stopReason: undefined }
}

/** Adds the answer of the request. */
export function rememberAnswer(last: LastExchange, answer: RecordedAnswer, message: RecordedMessage | undefined): void {
  last.answer = answer
  last.stopReason = message?.stop_reason
  last.calls = new Set(
    message?.content.flatMap(({ type, id }) => (type === 'tool_use' && typeof id === 'string' ? [id] : [])),
  )
}

function fitOf(last: LastExchange, keys: readonly string[], answered: ReadonlySet<string>): Fit | undefined {
  const { answer } = last
  if (answer === undefined) return undefined
  if (answer.kind === 'error' || answer.kind === 'broken') {
    return isPrefix(last.keys, keys) && last.keys.length === keys.length ? 'retried' : undefined
  }
  if ([...answered].some((id) => last.calls.has(id))) return 'results'
  const isPaused = isUnfinished(last.stopReason) && last.calls.size === 0
  return isPaused && keys.length > last.keys.length && isPrefix(last.keys, keys) ? 'continued' : undefined
}

function isPrefix(start: readonly string[], keys: readonly string[]): boolean {
  return start.every((key, index) => key === keys[index])
}

function resultIds(message: JsonObject | undefined): ReadonlySet<string> {
  const content = message?.['content']
  const blocks = isList(content) ? content.filter(isRecord) : []
  return new Set(
    blocks.flatMap(({ type, tool_use_id: id }) => (type === 'tool_result' && typeof id === 'string' ? [id] : [])),
  )
}

/**
 * Returns a key that is equal for messages that mean the same, whatever their cache breakpoints and the form of their
 * text.
 */
function messageKey({ role, content }: JsonObject): string {
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content
  const json = JSON.stringify([role, blocks], (key, value: unknown) => (key === 'cache_control' ? undefined : value))
  return `${json.length}:${checksum(json)}`
}
