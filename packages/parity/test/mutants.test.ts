import { text, thinking, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type Cassette, compareCassette } from '../src/index.ts'
import { mutants, throughMutant } from './support/mutants.ts'
import { recordLoop } from './support/recorded.ts'

const citation = (title: string): unknown => ({ type: 'char_location', cited_text: 'rain', document_title: title })

/** Every kind of delta, and blocks that come whole. */
const script: readonly Turn[] = [
  {
    content: [
      thinking('The card has to be charged.'),
      text('One moment, please: I charge it.'),
      toolUse('charge', { order: '17', cents: 500 }),
    ],
  },
  {
    content: [
      text('It was charged.', [citation('A'), citation('B')]),
      { type: 'hologram', beam: { angle: 3 } },
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'rain' } },
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] },
      text('And it rains.'),
    ],
    stopReason: 'stop_sequence',
    stopSequence: 'END',
  },
]

describe.each([false, true])('the comparison of a recording (streamed: %s)', (stream) => {
  const record = (): Promise<Cassette> => recordLoop(script, { stream })

  it('finds nothing without a mutant', async () => {
    const report = await compareCassette(await record(), { through: throughMutant({ mutate: (events) => events }) })
    expect(report.differences).toEqual([])
  })

  it.each(mutants)('points at the mutant: $name', async ({ mutate, points }) => {
    const report = await compareCassette(await record(), { through: throughMutant({ mutate }) })
    expect(report.equal).toBe(false)
    const found = report.differences.map(({ turn, path }) => [turn, path] as const)
    // The first place that is named is the place of the mistake.
    expect(found[0]).toEqual(points[0])
    for (const point of points) expect(found).toContainEqual(point)
    // Answers in one body have no deltas to get wrong.
    for (const { variants } of report.differences) expect(variants).not.toContain('buffered')
    expect(report.differences[0]?.variants.length).toBeGreaterThan(0)
  })
})

describe('a difference', () => {
  it('is told once, not for each place that repeats it', async () => {
    const lost = mutants.find(({ name }) => name === 'a text delta is dropped')
    const cassette = await recordLoop(script)
    const through = throughMutant({ mutate: lost?.mutate ?? ((all) => all) })
    const { differences } = await compareCassette(cassette, { through, variants: ['events', 'bytes'] })
    // The text of the second turn lacks a delta as well.
    const others = differences.filter(({ path }) => path !== 'answer.content[0].text')
    expect(others).toEqual([
      {
        turn: 1,
        path: 'answer.content[1].text',
        expected: 'One moment, please: I charge it.',
        actual: 'One please: I charge it.',
        variants: ['events', 'bytes'],
      },
    ])
  })
})
