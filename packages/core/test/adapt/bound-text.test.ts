import { AsyncLocalStorage } from 'node:async_hooks'
import { type ContentBlock, type FaultPlan, text, thinking, toolUse } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import type { AdaptedInput, LegacyScope } from '../../src/index.ts'
import { only } from '../support/scripted.ts'
import { setUp, type Setup, type SetupOptions } from './set-up.ts'

const scope = new AsyncLocalStorage<LegacyScope>()
const restart: SetupOptions = { handover: 'none', adapt: { handover: 'restart', scope } }
const byHistory: SetupOptions = {}
const none: SetupOptions = { handover: 'none' }

/** A call whose input comes in pieces. */
const longCall = toolUse('charge', { cents: 5, note: 'abcdefghijklmnopqrstuvwxyz' })
const firstCall = toolUse('charge', { cents: 5 }, { id: 'toolu_1' })

/** Who has no way to withdraw text. */
const readers: readonly (readonly [string, Partial<AdaptedInput>])[] = [
  ['onText alone', { callbacks: { onText: () => {} } }],
  ['continue', { retraction: 'continue' }],
  ['fail', { retraction: 'fail' }],
]

/** A run whose stream dies at this event of this turn, on every attempt. */
function cutAt(
  turns: readonly (readonly ContentBlock[])[],
  turn: number,
  event: number,
  input: Partial<AdaptedInput>,
  options: SetupOptions,
): Promise<Setup> {
  const faults: FaultPlan = [{ kind: 'destroy', at: { event }, turn, times: 'forever' }]
  return setUp({ ...options, turns: turns.map((content) => ({ content })), faults, input })
}

const cuts = [0, 1, 2, 3, 4, 5, 6, 7, 8]

describe.each(readers)('a reader that cannot withdraw text: %s', (_reader, input) => {
  it.each<[string, readonly ContentBlock[]]>([
    ['a call', [longCall]],
    ['thinking', [thinking('I think for a long time about this.'), text('Yes, it is so.')]],
  ])('is bound by text alone, wherever a turn breaks that begins with %s', async (_what, content) => {
    const outcomes = new Set<string>()
    for (const cut of cuts) {
      const { loop, legacyCalls, events, charges } = await cutAt([content], 1, cut, input, none)
      const answer = await loop('x').then(
        (given) => given.text,
        (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
      )
      // The turn was whole before it was cut, or its call was salvaged.
      if (answer === 'Yes, it is so.' || charges.length > 0) continue
      const hasText = only(events, 'text.delta').some((event) => event.turn === 1)
      expect(answer, `at event ${cut}`).toBe(hasText ? 'cannot_retract' : 'The old way.')
      expect(legacyCalls, `at event ${cut}`).toHaveLength(hasText ? 0 : 1)
      outcomes.add(String(answer))
    }
    expect(outcomes).toContain('The old way.')
  })

  it('and a loop may start over after a turn that said nothing', async () => {
    const { loop, legacyCalls } = await cutAt([[firstCall], [longCall]], 2, 4, input, restart)
    expect((await loop('x')).text).toBe('The old way.')
    expect(legacyCalls).toHaveLength(1)
  })

  it('and a loop goes on from the results where the turn behind them said nothing', async () => {
    const turns = [[text('I charge you. '), firstCall], [longCall]]
    const { loop, handed } = await cutAt(turns, 2, 4, input, byHistory)
    expect((await loop('x')).text).toBe('The old way.')
    expect(handed.map(({ messages }) => messages.at(-1))).toMatchObject([
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1' }] },
    ])
  })
})
