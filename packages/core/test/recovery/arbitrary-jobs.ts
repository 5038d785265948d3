import { type Conversation, type Fault, type FaultRule, text, thinking, toolUse, type Turn } from '@millrace/testing'
import * as fc from 'fast-check'
import type { Retraction } from '../../src/index.ts'

/** What one of the tools of a job is like. */
export interface ToolNature {
  readonly readOnly: boolean
  readonly idempotent: boolean
  readonly behaviour: 'answers' | 'throws' | 'slow' | 'stops' | 'unresponsive' | 'generator'
  /** What it says where its outcome is unknown. */
  readonly reconcile: 'none' | 'happened' | 'not happened' | 'does not know' | 'throws'
}

/** One call that the model makes until it has an answer: `n` is its input, and names it. */
export interface PlannedCall {
  readonly n: number
  readonly tool: number
}

export interface PlannedTurn {
  readonly thinks: boolean
  /** Whether it first searches, and pauses meanwhile. */
  readonly pauses: boolean
  /** What it says before its calls; each time it is asked again, it takes the next wording. */
  readonly wordings: readonly string[]
  readonly calls: readonly PlannedCall[]
  readonly after: string
}

export interface Job {
  readonly tools: readonly ToolNature[]
  readonly turns: readonly PlannedTurn[]
  readonly final: readonly string[]
  readonly pieces: readonly number[]
}

/** Who looks at the run. */
export type Consumer = 'events' | 'callbacks' | 'callbacks that retract'

/** One run with all that happens to it. */
export interface Case {
  readonly job: Job
  readonly faults: readonly FaultRule[]
  readonly interrupt: { readonly seq: number; readonly bySignal: boolean } | null
  readonly consumer: Consumer
  readonly retraction: Retraction
  readonly eagerTools: boolean
  readonly mode: 'stream' | 'buffered'
}

/** What the model says, in a conversation that has come as far as this one: whatever has no answer yet. */
export function sayJob({ turns, final, pieces }: Job, conversation: Conversation): Turn {
  const answered = new Set(conversation.toolResults.map(({ input }) => readN(input)))
  const turn = turns.find(({ calls }) => calls.some(({ n }) => !answered.has(n)))
  const wordings = turn?.wordings ?? final
  // Usage is otherwise that of the request, which says whether it streams.
  const manner = { chunking: { sizes: pieces }, usage: { input_tokens: 7 } }
  const candidates = wordings.map((wording): Turn => {
    const said = wording === '' ? [] : [text(wording)]
    if (turn === undefined) return { content: said, ...manner }
    const search = `srvtoolu_${turns.indexOf(turn)}`
    const isPaused = conversation.messages.at(-1)?.['role'] === 'assistant'
    if (turn.pauses && !isPaused && !hasResult(conversation, search)) {
      const call = { type: 'server_tool_use', id: search, name: 'web_search', input: { query: 'x' } }
      return { content: [...said, call], stopReason: 'pause_turn', ...manner }
    }
    const found = turn.pauses && isPaused ? [{ type: 'web_search_tool_result', tool_use_id: search, content: [] }] : []
    const calls = turn.calls.filter(({ n }) => !answered.has(n)).map(({ n, tool }) => toolUse(`tool_${tool}`, { n }))
    const content = [
      ...found,
      ...(turn.thinks ? [thinking(`I think about ${wording} for a while.`)] : []),
      ...said,
      ...calls,
      ...(turn.after === '' ? [] : [text(turn.after)]),
    ]
    return { content, ...manner }
  })
  for (const candidate of candidates) {
    const rest = conversation.continued(candidate)
    if (rest !== candidate) return rest
  }
  return candidates[(conversation.attempt - 1) % candidates.length] ?? { content: [] }
}

function hasResult({ messages }: Conversation, id: string): boolean {
  return JSON.stringify(messages).includes(`"tool_use_id":"${id}"`)
}

export function readN(input: unknown): number | undefined {
  const n: unknown = typeof input === 'object' && input !== null ? Reflect.get(input, 'n') : undefined
  return typeof n === 'number' ? n : undefined
}

const nature: fc.Arbitrary<ToolNature> = fc.record({
  readOnly: fc.boolean(),
  idempotent: fc.boolean(),
  behaviour: fc.constantFrom('answers', 'answers', 'throws', 'slow', 'stops', 'unresponsive', 'generator'),
  reconcile: fc.constantFrom('none', 'none', 'happened', 'not happened', 'does not know', 'throws'),
})

const words = fc.constantFrom(
  'I look that up for you.',
  'Die Größe: 30 °C, ✓ und 👩‍🚀 dazu.',
  'First this, then that, and then a third thing that takes longer to say.',
  'Ok.',
)

/** Wordings that begin alike, so that they part in the middle. */
const wordings = fc
  .tuple(words, fc.subarray([' Wait a moment.', ' Just a second 🙂.', ' Gleich 🙃 soweit.'], { minLength: 2 }))
  .map(([begin, ends]) => ends.map((end) => begin + end))

const job: fc.Arbitrary<Job> = fc
  .record({
    tools: fc.array(nature, { minLength: 1, maxLength: 3 }),
    turns: fc.array(
      fc.record({
        thinks: fc.boolean(),
        pauses: fc.boolean(),
        wordings: fc.oneof(wordings, fc.constant([''])),
        calls: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }),
        after: fc.constantFrom('', '', 'That was the last of it.'),
      }),
      { maxLength: 3 },
    ),
    final: wordings,
    pieces: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
  })
  .map(({ tools, turns, ...rest }) => ({
    ...rest,
    tools,
    turns: turns.map(({ calls, ...turn }, index) => ({
      ...turn,
      calls: calls.map((tool, position) => ({ n: index * 10 + position, tool: tool % tools.length })),
    })),
  }))

const at = fc.oneof(fc.record({ event: fc.nat(40) }), fc.record({ byte: fc.nat(3_000) }))

/** Faults that change nothing about what the answer says. */
const harmlessFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ kind: fc.constant('unknown-event'), at: fc.record({ event: fc.nat(40) }) }),
  // The first piece of the first block.
  fc.constant<Fault>({ kind: 'unknown-delta', at: { event: 3 } }),
  fc.record({ kind: fc.constantFrom('gzip', 'no-message-stop') }),
  fc.record({ kind: fc.constant('second-message-start'), at: fc.constant({ event: 1 }), id: fc.constant('same') }),
)

const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('destroy', 'reset', 'end', 'break-chunk', 'gzip-cut'), at }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('stall'), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stall'), at, pingEvery: fc.constant(15_000) }) },
  { weight: 2, arbitrary: harmlessFault },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('error-event'),
      at,
      errorType: fc.constantFrom('overloaded_error', 'api_error', 'invalid_request_error', 'throttlingException'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unknown-delta'), at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('status'),
      status: fc.constantFrom(400, 401, 408, 429, 500, 529),
      retryAfter: fc.constantFrom('2', '86400', 'soon'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Fault>(
      { kind: 'no-headers' },
      { kind: 'refused' },
      { kind: 'html' },
      { kind: 'json' },
      { kind: 'slow-headers', ms: 20_000 },
      { kind: 'no-final-blank-line' },
      { kind: 'unknown-block' },
      { kind: 'tool-use-without-tool' },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('garbage-line'), at, mode: fc.constantFrom('add', 'instead') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('duplicate-event'), at }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('second-message-start'), at, id: fc.constantFrom('same', 'other') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tool-json-cut'), piece: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unstopped-block'), block: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('stop-reason'),
      stopReason: fc.constantFrom('max_tokens', 'pause_turn', 'refusal', 'end_turn', 'tool_use', 'stop_sequence'),
    }),
  },
)

const rule: fc.Arbitrary<FaultRule> = fc
  .record({
    fault: anyFault,
    turn: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    attempt: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    stream: fc.option(fc.boolean(), { nil: undefined }),
    times: fc.constantFrom<1 | 2 | 'forever'>(1, 1, 2, 'forever'),
  })
  .map(({ fault, turn, attempt, stream, times }) => ({
    ...fault,
    times,
    ...(turn !== undefined && { turn }),
    ...(attempt !== undefined && { attempt }),
    ...(stream !== undefined && { stream }),
  }))

/** A stream that breaks among its first words, which is what most of the ladder is about. */
const earlyCut: fc.Arbitrary<FaultRule> = fc
  .record({
    kind: fc.constantFrom('destroy', 'end'),
    at: fc.record({ event: fc.integer({ min: 4, max: 16 }) }),
    times: fc.constantFrom(1, 2),
  })
  .map((cut) => ({ ...cut, stream: true }))

const faults = fc.oneof(
  { weight: 2, arbitrary: fc.array(rule, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.tuple(earlyCut, rule).map((rules): FaultRule[] => rules) },
)

const consumers: readonly (readonly [Consumer, readonly Retraction[]])[] = [
  ['events', ['auto', 'retract', 'continue', 'hold', 'fail']],
  ['callbacks', ['auto', 'continue', 'hold', 'fail']],
  ['callbacks that retract', ['auto', 'retract', 'hold']],
]

const consumption = fc
  .constantFrom(...consumers)
  .chain(([consumer, retractions]) => fc.constantFrom(...retractions).map((retraction) => ({ consumer, retraction })))

/** Random faults, tools, interrupts and consumers. */
export const anyCase: fc.Arbitrary<Case> = fc
  .record({
    job,
    faults,
    interrupt: fc.option(fc.record({ seq: fc.integer({ min: 1, max: 70 }), bySignal: fc.boolean() }), { freq: 3 }),
    consumption,
    eagerTools: fc.boolean(),
    mode: fc.constantFrom<'stream' | 'buffered'>('stream', 'stream', 'stream', 'buffered'),
  })
  .map(({ consumption: chosen, ...rest }) => ({ ...rest, ...chosen }))

/** Jobs whose tools answer at once and by their input alone, and streams with faults that change no word. */
export const anyHarmlessCase: fc.Arbitrary<{ readonly job: Job; readonly faults: readonly FaultRule[] }> = fc.record({
  job: job.map((each) => ({
    ...each,
    turns: each.turns.map((turn) => ({ ...turn, wordings: turn.wordings.slice(0, 1) })),
    final: each.final.slice(0, 1),
    tools: each.tools.map((tool) => ({
      ...tool,
      behaviour: tool.behaviour === 'throws' || tool.behaviour === 'generator' ? tool.behaviour : 'answers',
    })),
  })),
  faults: fc.array(
    harmlessFault.map((fault): FaultRule => ({ ...fault, stream: true, times: 'forever' })),
    { maxLength: 1 },
  ),
})
