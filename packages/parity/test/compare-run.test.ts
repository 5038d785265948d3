import { text, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { compareRun } from '../src/compare/compare-run.ts'
import { type RecordedRun, recordedRun } from '../src/replay/recorded-run.ts'
import { replayFetch } from '../src/replay/replay-fetch.ts'
import { createReplayModel } from '../src/replay/replay-model.ts'
import { type Replayed, replayRun } from '../src/replay/replay-run.ts'
import { variantOf } from '../src/replay/variant.ts'
import { recordLoop } from './support/recorded.ts'

const script: readonly Turn[] = [
  { content: [text('Both.'), toolUse('look_up', { order: '1' }), toolUse('charge', { cents: 5 })] },
  { content: [text('Done.')] },
]

type Ran = Extract<Replayed, { status: 'ran' }>

/** A run, and what Millrace made of it: equal, as it stands. */
async function replayed(): Promise<{ readonly run: RecordedRun; readonly seen: Ran }> {
  const run = recordedRun(await recordLoop(script))
  const variant = variantOf('events', 1)
  const model = createReplayModel(run, variant)
  const seen = await replayRun({ run, variant, model, fetch: replayFetch(model) })
  if (seen.status !== 'ran') throw new Error(seen.message)
  return { run, seen }
}

describe('a loop that', () => {
  const cases: readonly (readonly [what: string, change: (seen: Ran) => Partial<Ran>, turn: number, path: string])[] = [
    ['calls a tool twice', ({ calls }) => ({ calls: [...calls, ...calls.slice(1)] }), 0, 'calls[2]'],
    ['leaves a call out', ({ calls }) => ({ calls: calls.slice(0, 1) }), 1, 'calls[1]'],
    ['swaps its calls', ({ calls }) => ({ calls: calls.toReversed() }), 1, 'calls[0].id'],
    [
      'calls with another input',
      ({ calls }) => ({ calls: calls.map((call) => ({ ...call, input: { cents: 6 } })) }),
      1,
      'calls[0].input.order',
    ],
    ['asks once more', ({ requests }) => ({ requests: [...requests, {}] }), 0, 'requests'],
    [
      'sends another parameter',
      ({ requests }) => ({ requests: requests.map((request) => ({ ...request, max_tokens: 1 })) }),
      1,
      'request.max_tokens',
    ],
    [
      'forgets a message',
      ({ requests }) => ({ requests: requests.map((request) => ({ ...request, messages: [] })) }),
      1,
      'request.messages[0]',
    ],
    [
      'fails at the end',
      ({ result }) => ({ result: { ...result, outcome: 'failed', error: 'internal' } }),
      0,
      'outcome',
    ],
    ['says another stop reason', ({ result }) => ({ result: { ...result, stopReason: 'tool_use' } }), 0, 'stopReason'],
    [
      'adds usage up wrongly',
      ({ result }) => ({ result: { ...result, usage: { ...result.usage, input_tokens: 1 } } }),
      0,
      'usage.input_tokens',
    ],
    [
      'loses the answer in its history',
      ({ result }) => ({ result: { ...result, messages: result.messages.slice(0, -1) } }),
      0,
      'history[3]',
    ],
    ['does not get through its turns', ({ turns }) => ({ turns: turns.slice(0, 1) }), 2, 'answer'],
  ]

  it.each(cases)('%s differs at its path', async (_, change, turn, path) => {
    const { run, seen } = await replayed()
    expect(compareRun(run, seen).differences).toEqual([])
    const { differences } = compareRun(run, { ...seen, ...change(seen) })
    expect(differences[0]).toMatchObject({ turn, path })
  })
})
