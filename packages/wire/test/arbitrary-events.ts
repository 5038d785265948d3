import type { AgentEvent, EventBody } from '@millrace/core'
import * as fc from 'fast-check'

/** Strings that break framings: line ends of every kind, NUL, field names, half of a surrogate pair, emoji. */
const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '\n',
    '\r\n',
    '\r',
    '\n\n',
    '\u0000',
    '\u2028',
    '\u2029',
    '\u0085',
    '\uD800',
    '\u{1f600}',
    ':',
    'data: x',
  ),
  fc.constantFrom('id: 9\n\n', '\ndata: {"type":"run.finished"}\n\n', '"', '\\', '\ufeff', 'é', '__proto__', ''),
  fc.string({ unit: 'binary', maxLength: 20 }),
)

const count = fc.nat({ max: 50 })
const place = { turn: count, attempt: count, block: count }
const mode = fc.constantFrom('stream', 'buffered', 'legacy')
const json = fc
  .oneof(fc.jsonValue({ maxDepth: 2 }), nastyText)
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
const usage = fc.record({ input_tokens: count, output_tokens: count, cache_read_input_tokens: count })
const block = fc.record({ type: fc.constant('text'), text: nastyText })
const stopReason = fc.option(nastyText, { nil: null })
const call = { toolUseId: fc.constantFrom('toolu_1', 'toolu_2', '\n'), name: nastyText, turn: count }

function typed<Type extends string, Fields extends object>(
  type: Type,
  fields: fc.Arbitrary<Fields>,
): fc.Arbitrary<Fields & { type: Type }> {
  return fields.map((values) => ({ type, ...values }))
}

const decision = fc.record({
  mode,
  arm: fc.constantFrom('streaming', 'control'),
  reason: fc.constantFrom('flag', 'explicit', 'killed', 'no_flags', 'flag_error', 'flag_timeout'),
  tools: fc.dictionary(fc.constantFrom('a', '\n'), fc.boolean()),
})

const body: fc.Arbitrary<EventBody> = fc.oneof(
  typed('run.started', fc.oneof(fc.record({ decision }), fc.record({ decision, sessionId: nastyText }))),
  typed('turn.started', fc.record({ turn: count, attempt: count, mode })),
  typed('block.started', fc.record({ ...place, kind: nastyText })),
  typed('block.finished', fc.record({ ...place, kind: nastyText, length: count, checksum: nastyText })),
  typed('text.delta', fc.record({ ...place, text: nastyText })),
  typed('thinking.delta', fc.record({ ...place, text: nastyText })),
  typed(
    'tool.input',
    fc.record({ ...place, ...call, json: fc.constantFrom('{"a":', '1}', '{}', '{"a":1}', '\n', '') }),
  ),
  typed('tool.started', fc.record({ ...call, input: fc.oneof(json, fc.constant({ a: 1 })), attempt: count })),
  typed(
    'tool.progress',
    fc.record(
      { ...call, elapsedMs: count, ...optionalProgress() },
      { requiredKeys: ['toolUseId', 'name', 'turn', 'elapsedMs'] },
    ),
  ),
  typed(
    'tool.finished',
    fc.record(
      {
        ...call,
        input: fc.oneof(json, fc.constant({ a: 1 })),
        result: fc.oneof(nastyText, fc.array(block, { maxLength: 2 })),
        outcome: fc.constantFrom('ok', 'error', 'timeout', 'unknown', 'cancelled', 'discarded'),
        durationMs: count,
        reused: fc.boolean(),
      },
      { requiredKeys: ['toolUseId', 'name', 'turn', 'input', 'result', 'outcome', 'durationMs'] },
    ),
  ),
  typed(
    'turn.retracted',
    fc.record({
      turn: count,
      attempt: count,
      fromBlock: count,
      fromOffset: count,
      reason: fc.constantFrom('truncated', 'refusal'),
    }),
  ),
  typed(
    'turn.finished',
    fc.record({ turn: count, attempt: count, mode, stopReason, usage, content: fc.array(block, { maxLength: 2 }) }),
  ),
  typed(
    'fallback',
    fc.record({
      turn: count,
      from: mode,
      to: fc.constantFrom('stream', 'buffered', 'legacy', 'salvage', 'continue'),
      reason: fc.constantFrom('overloaded', 'killed'),
      stage: fc.constantFrom('before_output', 'after_output'),
    }),
  ),
  typed('run.moving', fc.record({ retryMs: count })),
  typed('run.resumed', fc.record({ after: fc.constantFrom('move', 'crash'), crashes: count })),
  typed(
    'run.finished',
    fc.oneof(
      fc.record({ outcome: fc.constant('completed'), stopReason, usage }),
      fc.record({
        outcome: fc.constant('failed'),
        stopReason,
        usage,
        error: fc.record({ code: fc.constant('overloaded'), message: nastyText, retryable: fc.boolean() }),
      }),
    ),
  ),
)

function optionalProgress() {
  return { progress: count, total: count, message: nastyText, data: json }
}

/** Events of every type in any order, numbered and dated as one run's are. */
export const arbitraryEvents: fc.Arbitrary<AgentEvent[]> = fc
  .array(body, { minLength: 1, maxLength: 30 })
  .map((bodies) => bodies.map((event, index) => ({ ...event, seq: index + 1, runId: 'run-\n', at: 1000 + index })))
