import { validateMessages } from '@millrace/testing'
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

it('has the ids of its calls rewritten where the history that it was handed has them already', async () => {
  const added = [
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'charge', input: { cents: 7 } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'charged by the loop' }] },
    { role: 'assistant', content: 'All is charged.' },
  ]
  const { loop } = await setUp({
    faults: secondTurnBreaks,
    adapt: giving({ messages: added, text: 'All is charged.' }),
  })
  const { messages, text } = await loop('x')
  expect(text).toBe('All is charged.')
  expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(messages.slice(-3)).toMatchObject([
    { content: [{ id: 'toolu_1_2' }] },
    { content: [{ tool_use_id: 'toolu_1_2' }] },
    { content: 'All is charged.' },
  ])
})
