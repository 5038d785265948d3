import { checkNames, unknownName } from '../kit/errors.ts'
import { describeFault, type Fault, type FaultKind, type FaultMatch, type FaultRule } from '../faults/fault.ts'
import { faultKinds, isFaultKind } from '../faults/fault-kinds.ts'
import { isObject } from '../kit/guards.ts'
import type { Layout } from '../layouts/layout.ts'
import { layoutTurns, type LayoutTurn } from '../layouts/layout-turns.ts'
import { layouts as allLayouts } from '../layouts/layouts.ts'
import { seededRandom } from '../kit/random.ts'

/** How often a fault strikes: the first request it fits, the first two, every streaming one, or every one at all. */
export type FaultFrequency = 'once' | 'twice' | 'every-stream' | 'every-request'

/** One job with one thing that goes wrong in it. */
export interface FaultCase {
  /** Stable, such as `thinking-text-two-tools/turn:1/destroy@event:7/once`. */
  readonly id: string
  readonly layout: string
  readonly kind: FaultKind
  readonly frequency: FaultFrequency
  readonly rule: FaultRule
  readonly seed: number
}

/** Options of `faultMatrix`. */
export interface FaultMatrixOptions {
  /** Decides which cases a sample has, and the seed of each case. */
  readonly seed: number
  /** The ids of the layouts. Default: all. */
  readonly layouts?: readonly string[]
  /** Default: every kind but `start-over`, which has a layout of its own. */
  readonly kinds?: readonly FaultKind[]
  readonly frequencies?: readonly FaultFrequency[]
  /** How many cases, spread evenly over layouts and kinds. Default: all, some hundred thousand. */
  readonly sample?: number
  /** Own layouts, beside or instead of the shipped ones. Default: `layouts`. */
  readonly from?: readonly Layout[]
}

const frequencies: { readonly [Frequency in FaultFrequency]: FaultMatch } = {
  once: { times: 1 },
  twice: { times: 2 },
  'every-stream': { stream: true, times: 'forever' },
  'every-request': { times: 'forever' },
}

const errorTypes: readonly string[] = [
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
  'rate_limit_error',
  'api_error',
  'timeout_error',
  'overloaded_error',
  'throttlingException',
]

const stopReasons: readonly string[] = [
  'end_turn',
  'max_tokens',
  'stop_sequence',
  'tool_use',
  'pause_turn',
  'compaction',
  'refusal',
  'model_context_window_exceeded',
  'a_reason_of_tomorrow',
]

/**
 * Returns the cases of every event index and every byte of the turns of each layout, with each fault, once, twice and
 * for ever. The same options give the same cases in the same order.
 *
 * @throws TestingError `invalid_option` for an unknown option, layout or kind
 */
export function faultMatrix(options: FaultMatrixOptions): readonly FaultCase[] {
  checkNames(options, ['seed', 'layouts', 'kinds', 'frequencies', 'sample', 'from'])
  const { seed, sample, from = allLayouts, kinds } = options
  const chosen = chooseLayouts(from, options.layouts)
  for (const kind of kinds ?? []) {
    if (!isFaultKind(kind))
      throw unknownName(
        'kind',
        String(kind),
        faultKinds.map((known) => known.kind),
        'kinds',
      )
  }
  const wanted = options.frequencies ?? Object.keys(frequencies).filter(isFrequency)
  const plans: CasePlan[] = []
  for (const layout of chosen) {
    for (const turn of layoutTurns(layout)) {
      for (const { fault, isByte } of turnFaults(turn)) {
        if (kinds !== undefined && !kinds.includes(fault.kind)) continue
        for (const frequency of wanted) {
          // One byte more or less does not change what happens the next time, so once is enough.
          if (!isByte || frequency === 'once') plans.push({ layout: layout.id, turn: turn.turn, fault, frequency })
        }
      }
    }
  }
  const picked = sample === undefined || sample >= plans.length ? plans : spread(plans, sample, seed)
  return picked.map((plan) => faultCase(plan, seed))
}

/** A case before it has an id and a seed, which most never get: a sample leaves them out. */
interface CasePlan {
  readonly layout: string
  readonly turn: number
  readonly fault: Fault
  readonly frequency: FaultFrequency
}

function isFrequency(value: string): value is FaultFrequency {
  return Object.hasOwn(frequencies, value)
}

function chooseLayouts(from: readonly Layout[], ids: readonly string[] | undefined): readonly Layout[] {
  return (ids ?? from.map(({ id }) => id)).map((id) => {
    const layout = from.find((candidate) => candidate.id === id)
    if (layout !== undefined) return layout
    throw unknownName(
      'layout',
      id,
      from.map((known) => known.id),
      'layouts',
    )
  })
}

function faultCase({ layout, turn, fault, frequency }: CasePlan, seed: number): FaultCase {
  const id = `${layout}/turn:${turn}/${describeFault(fault)}/${frequency}`
  const rule: FaultRule = { ...fault, turn, ...frequencies[frequency] }
  return { id, layout, kind: fault.kind, frequency, rule, seed: caseSeed(seed, id) }
}

/** Returns the seed of a case. It depends on the id alone, so that a case keeps it in every selection. */
function caseSeed(seed: number, id: string): number {
  let hash = seed >>> 0
  for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash
}

function* turnFaults(turn: LayoutTurn): Generator<{ fault: Fault; isByte: boolean }> {
  for (const fault of wholeTurnFaults(turn)) yield { fault, isByte: false }
  for (const event of turn.events.keys()) {
    for (const fault of eventFaults(turn, event)) yield { fault, isByte: false }
  }
  for (let byte = 0; byte <= turn.bytes; byte++) {
    for (const kind of ['destroy', 'reset', 'end', 'break-chunk', 'gzip-cut', 'stall'] as const) {
      yield { fault: { kind, at: { byte } }, isByte: true }
    }
  }
}

function* wholeTurnFaults(turn: LayoutTurn): Generator<Fault> {
  yield { kind: 'gzip' }
  yield { kind: 'slow-headers', ms: 20_000 }
  yield { kind: 'no-headers' }
  yield { kind: 'refused' }
  for (const status of [400, 401, 402, 403, 404, 408, 409, 413, 429, 500, 503, 529]) yield { kind: 'status', status }
  for (const retryAfter of ['2', 'Thu, 01 Jan 1970 00:00:00 GMT', '86400', 'soon']) {
    yield { kind: 'status', status: 429, retryAfter }
  }
  yield { kind: 'status', status: 429, retryAfterMs: '1500' }
  yield { kind: 'html' }
  yield { kind: 'json' }
  yield { kind: 'no-message-stop' }
  yield { kind: 'no-final-blank-line' }
  yield { kind: 'unknown-block' }
  for (const stopReason of stopReasons) yield { kind: 'stop-reason', stopReason }
  yield { kind: 'tool-use-without-tool' }
  // After a tool result the model may legally have nothing to add.
  if (turn.turn === 1) yield { kind: 'empty-answer' }
  yield { kind: 'unknown-field' }
  yield { kind: 'byte-order-mark' }
  yield { kind: 'prefilled-start' }
  if (countCalls(turn) > 1) yield { kind: 'repeated-tool-id' }
  if (turn.events.some(({ delta }) => isObject(delta) && delta.type === 'signature_delta'))
    yield { kind: 'no-signature' }
  for (let piece = 0; piece < countToolPieces(turn); piece++) yield { kind: 'tool-json-cut', piece }
  const blocks = turn.events.filter((event) => event.type === 'content_block_stop').length
  for (let block = 0; block < blocks; block++) yield { kind: 'unstopped-block', block }
}

function isCall(event: LayoutTurn['events'][number]): boolean {
  return isObject(event.content_block) && event.content_block.type === 'tool_use'
}

function countCalls(turn: LayoutTurn): number {
  return turn.events.filter(isCall).length
}

function countToolPieces(turn: LayoutTurn): number {
  const first = turn.events.find(isCall)?.index
  return turn.events.filter(
    (event) => event.index === first && isObject(event.delta) && Boolean(event.delta.partial_json),
  ).length
}

function* eventFaults(turn: LayoutTurn, event: number): Generator<Fault> {
  const at = { event }
  for (const kind of ['destroy', 'reset', 'end', 'break-chunk', 'gzip-cut'] as const) yield { kind, at }
  for (const errorType of errorTypes) yield { kind: 'error-event', errorType, at }
  yield { kind: 'stall', at }
  yield { kind: 'stall', pingEvery: 15_000, at }
  for (const mode of ['add', 'instead'] as const) yield { kind: 'garbage-line', mode, at }
  yield { kind: 'unknown-event', at }
  if (event === 0) return
  yield { kind: 'second-message-start', id: 'same', at }
  yield { kind: 'second-message-start', id: 'other', at }
  const type = turn.events[event]?.type
  if (type === 'content_block_delta' || type === 'content_block_stop') {
    yield { kind: 'unknown-delta', at }
    yield { kind: 'replay', at }
  }
  // No client can tell a piece of text that was sent twice from a text that repeats itself, so deltas are left out.
  if (type !== 'content_block_delta') yield { kind: 'duplicate-event', at }
}

/** Returns `count` of the cases, taken from every layout and kind in turn, in a seeded order. */
function spread(cases: readonly CasePlan[], count: number, seed: number): readonly CasePlan[] {
  const random = seededRandom(seed)
  const groups = new Map<string, CasePlan[]>()
  for (const one of cases) {
    const key = `${one.layout}/${one.fault.kind}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  const queues = [...groups.values()].map((group) => shuffled(group, random))
  const picked: CasePlan[] = []
  for (let round = 0; picked.length < count; round++) {
    for (const queue of queues) {
      const one = queue[round]
      if (one !== undefined && picked.length < count) picked.push(one)
    }
  }
  return picked
}

function shuffled<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ item }) => item)
}
