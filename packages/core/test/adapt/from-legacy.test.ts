import { describe, expect, it } from 'vitest'
import { only } from '../support/scripted.ts'
import { legacyAnswer, secondTurnBreaks, setUp, type SetupOptions } from './set-up.ts'

/** What a `fromLegacy` gives that was written without types. */
const given: readonly (readonly [string, unknown])[] = [
  ['no text', { messages: [] }],
  ['text that is no string', { messages: [], text: 5 }],
  ['null for text', { messages: [], text: null }],
  ['a promise', Promise.resolve({ messages: [], text: 'x' })],
  ['nothing', undefined],
]

function giving(value: unknown): NonNullable<SetupOptions['adapt']> {
  const handover: unknown = { toArgs: (_handed: unknown, question: string) => [question], fromLegacy: () => value }
  return Object.fromEntries([['handover', handover]])
}

describe.each(given)('a fromLegacy that gives %s', (_what, value) => {
  it.each<[string, SetupOptions]>([
    ['with the flag off', { adapt: { flags: { getBooleanDetails: () => ({ value: false }) } } }],
    ['after a first turn that broke', { faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }] }],
  ])('changes nothing of what the loop returned %s, and is reported', async (_when, options) => {
    const { loop, events, warnings } = await setUp({ ...options, adapt: { ...options.adapt, ...giving(value) } })
    expect(await loop('x')).toBe(legacyAnswer)
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'completed' }])
    expect(warnings.filter(({ code }) => code === 'callback_failed')).toHaveLength(1)
  })
})

it('where its answer is needed to end the history, the error says what it has to be', async () => {
  const { loop } = await setUp({
    faults: secondTurnBreaks,
    adapt: giving(Promise.resolve({ messages: [], text: 'x' })),
  })
  await expect(loop('x')).rejects.toMatchObject({ message: 'fromLegacy().text must be a string' })
})
