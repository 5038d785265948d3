import { sized } from '@millrace/config/sized'
import { describe, expect, test } from 'vitest'
import {
  bufferedLoop,
  columns,
  eagerSideEffectsLoop,
  endOfStreamIsSuccessLoop,
  expectedFrom,
  faultMatrix,
  formatReport,
  gradeLoop,
  hangLoop,
  layouts,
  type LoopGrades,
  type LoopUnderTest,
  lostTailLoop,
  naiveLoop,
  noRetractionLoop,
  parseExpectedTable,
  rerunEverythingLoop,
  summarize,
} from '../src/index.ts'

/** Streams that break somewhere, once: what every mutant is meant to survive, and does not. */
const broken = faultMatrix({
  seed: 11,
  kinds: ['destroy', 'reset', 'end', 'break-chunk', 'garbage-line'],
  frequencies: ['once'],
  sample: sized({ quick: 60, long: 120 }),
})

const failing = (grades: LoopGrades): string[] => {
  const summary = summarize(grades)
  return columns.filter((column) => (summary.columns[column] ?? 0) < summary.cases)
}

describe('each mutant fails in the columns it should, and in no other', () => {
  test.each<{ name: string; loop: LoopUnderTest; fails: string[] }>([
    { name: 'naive', loop: naiveLoop, fails: ['exactlyOnce', 'exactText'] },
    // To this one a stream with an unstopped block is never whole, however often it starts over.
    { name: 'rerunEverything', loop: rerunEverythingLoop, fails: ['completed', 'exactlyOnce'] },
    { name: 'noRetraction', loop: noRetractionLoop, fails: ['exactText'] },
    { name: 'lostTail', loop: lostTailLoop, fails: ['exactText'] },
    {
      name: 'endOfStreamIsSuccess',
      loop: endOfStreamIsSuccessLoop,
      // What it took for an answer may be half a thinking block, or lack the call that the job is about.
      fails: ['exactlyOnce', 'exactText', 'silence', 'history'],
    },
    { name: 'eagerSideEffects', loop: eagerSideEffectsLoop, fails: ['exactlyOnce'] },
  ])('$name', async ({ name, loop, fails }) => {
    const grades = await gradeLoop({ name, loop, cases: broken })
    expect(grades.results).toHaveLength(broken.length)
    expect(failing(grades)).toEqual(fails)
    expect(grades.residue).toEqual([])
  })

  test('hang', async () => {
    const cases = broken.slice(0, 12)
    const grades = await gradeLoop({ name: 'hang', loop: hangLoop, cases, caseTimeout: 1500, concurrency: 12 })
    expect(failing(grades)).toEqual(['completed', 'noHang'])
  })
})

describe('the loop that never streams', () => {
  test('completes every job whose stream breaks, without a finding', async () => {
    const grades = await gradeLoop({ name: 'buffered', loop: bufferedLoop, cases: broken })
    expect(summarize(grades).failing).toEqual([])
  })

  test('ends every case of the matrix as a table of expected outcomes says', async () => {
    const refused = 'the API says that asking again is no use'
    const table = parseExpectedTable([
      { match: '*/every-stream', outcome: 'completed', reason: 'this loop never streams' },
      ...[400, 401, 402, 403, 404, 413].map((status) => ({
        match: `*/status,status=${status}*`,
        outcome: 'failed',
        reason: refused,
      })),
      ...['invalid_request', 'authentication', 'billing', 'permission', 'not_found', 'request_too_large'].map(
        (type) => ({
          match: `*/error-event,errorType=${type}*`,
          outcome: 'failed',
          reason: refused,
        }),
      ),
      { match: '*/stop-reason,stopReason=max_tokens/*', outcome: 'limit', reason: 'the model ran out of tokens' },
      { match: '*/stop-reason,stopReason=model_context*', outcome: 'limit', reason: 'the context is full' },
      { match: '*/stop-reason,stopReason=refusal/*', outcome: 'refused', reason: 'the model refuses' },
      ...['tool_use/once', 'tool_use/twice'].map((end) => ({
        match: `*/stop-reason,stopReason=${end}`,
        outcome: 'completed',
        reason: 'asked again where no tool is called',
      })),
      ...[
        'unstopped-block',
        'tool-json-cut',
        'second-message-start',
        'garbage-line',
        'unknown',
        'duplicate',
        'no-message-stop',
        'no-final-blank-line',
        'json',
        'gzip/',
        'replay',
        'byte-order-mark',
        'prefilled-start',
        'no-signature',
        'repeated-tool-id',
        'slow-headers',
      ].map((kind) => ({ match: `*/${kind}*`, outcome: 'completed', reason: 'no fault where nothing streams' })),
      ...['end_turn', 'stop_sequence', 'pause_turn', 'compaction', 'a_reason_of_tomorrow'].map((stopReason) => ({
        match: `*/stop-reason,stopReason=${stopReason}/*`,
        outcome: 'completed',
        reason: 'the model says that it is done',
      })),
      {
        match: '*/turn:1/stop-reason,stopReason=tool_use/every-request',
        outcome: 'completed',
        reason: 'it calls a tool anyway',
      },
      { match: '*/every-request', outcome: 'failed', reason: 'no request is ever answered' },
    ])
    const cases = faultMatrix({ seed: 5, sample: sized({ quick: 100, long: 420 }) })
    const grades = await gradeLoop({ name: 'buffered', loop: bufferedLoop, cases, expected: expectedFrom(table) })
    expect(summarize(grades).failing).toEqual([])
    expect(new Set(grades.results.map((result) => result.layout)).size).toBeGreaterThanOrEqual(
      sized({ quick: 4, long: layouts.length }),
    )
  })
})

test('formatReport names loops, faults, layouts and what failed', async () => {
  const cases = broken.slice(0, 24)
  const grades = [
    await gradeLoop({ name: 'buffered', loop: bufferedLoop, cases }),
    await gradeLoop({ name: 'naive', loop: naiveLoop, cases }),
  ]
  const report = formatReport(grades, { failingCases: 2 })
  expect(report).toMatch(/^Cases without a finding, of 100\n\nloop +cases +as it should +completed +exactlyOnce/)
  expect(report).toMatch(/\nbuffered +24 +100 +100 +100/)
  expect(report).toMatch(/\nfault +buffered +naive\n/)
  expect(report).toMatch(/\nthinking-text-two-tools +100 \(/)
  expect(report).toMatch(/\nnaive: \d+ cases did not end as they should\n {2}\S+\/turn:\d\/\S+\/once\n {4}exact\w+: /)
  expect(report).toMatch(/\n {2}and \d+ more\n$/)
  expect(JSON.parse(JSON.stringify(summarize(grades[1] ?? { name: '', results: [], residue: [] })))).toMatchObject({
    name: 'naive',
    cases: 24,
  })
})
