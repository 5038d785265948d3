import { checksum } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { RecordedAnswer, RecordedMessage } from '../cassette/cassette.ts'
import { isList, type JsonObject } from '../kit/json.ts'

/** What is remembered of a run's last exchange, to recognise the request that follows it. */
export interface LastExchange {
  /** A key for each message of its request. */
  readonly keys: readonly string[]
  /** Undefined while the answer is not there. */
  answer: RecordedAnswer | undefined
  /** The ids of the calls in the answer. */
  calls: ReadonlySet<string>
  stopReason: string | undefined
}

/** How a request goes on with a run. */
type Fit = 'results' | 'continued' | 'retried'

/** Answers after which a loop asks again, in the same run. */
const askedAgain: ReadonlySet<string | undefined> = new Set(['tool_use', 'pause_turn', 'compaction'])

/** Whether an answer with this stop reason is one that a loop goes on from. */
export function isUnfinished(stopReason: string | undefined): boolean {
  return askedAgain.has(stopReason)
}

/**
 * The run that a request belongs to, the latest first: it answers the run's calls, or repeats a request that failed, or
 * goes on behind a pause. Undefined where it begins a run.
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

/** Whether a request can only follow an answer: it brings results, or ends with what the assistant said. */
export function goesOn(messages: readonly JsonObject[]): boolean {
  const last = messages.at(-1)
  return last?.['role'] === 'assistant' || resultIds(last).size > 0
}

/** What is to be remembered of a request that was just sent. */
export function rememberRequest(messages: readonly JsonObject[]): LastExchange {
  return { keys: messages.map(messageKey), answer: undefined, calls: new Set(), stopReason: undefined }
}

/** Adds its answer. */
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

/** The same for messages that say the same: a moved cache breakpoint and a text in a block change nothing. */
function messageKey({ role, content }: JsonObject): string {
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content
  const json = JSON.stringify([role, blocks], (key, value: unknown) => (key === 'cache_control' ? undefined : value))
  return `${json.length}:${checksum(json)}`
}
