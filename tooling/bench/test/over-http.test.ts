import { describe, expect, test } from 'vitest'
import { ask, verify } from '../src/ask.ts'
import { peers } from '../src/peers/index.ts'
import { markdownTable, regressions, svgChart } from '../src/report.ts'
import { expectedText, readScenario, scenarioText } from '../src/scenario.ts'
import { startServers } from '../src/servers.ts'
import { quantile, summarize } from '../src/statistics.ts'

test.each(Object.keys(peers))('%s gives every text of a loop with tools', { timeout: 60_000 }, async (name) => {
  const { peers: running, close } = await startServers([name])
  try {
    const [peer] = running
    if (peer === undefined) throw new Error(name)
    const input = scenarioText({ deltas: 2, turns: name === 'byte pipe' ? 0 : 2 })
    const before = await peer.cpu()
    const answer = await ask(peer.url, input)
    verify(name, input, answer)
    expect(await peer.cpu()).toBeGreaterThanOrEqual(before)
    expect(answer.firstText).toBeGreaterThan(0)
    const lost = { ...answer, body: answer.body.replaceAll('0.1', '0.2') }
    expect(() => verify(name, input, lost)).toThrow(`${name} gave`)
  } finally {
    close()
  }
})

test('a scenario survives the message that it travels in', () => {
  const scenario = { deltas: 3, chars: 30, every: 5, turns: 2, hangs: true }
  expect(readScenario(`{"role":"user","content":"${scenarioText(scenario)}"}`)).toEqual(scenario)
  expect(expectedText({ ...scenario, deltas: 1, turns: 1, chars: 8 })).toBe('0.0 word1.0 word')
})

describe('a summary', () => {
  const results = summarize(
    new Map([
      ['plain', [4, 1, 2, 3, 5]],
      ['slow', [6, 6, 6, 100, 1]],
    ]),
  )
  const measure = { name: 'm', title: 'A < B', unit: 'us', rounds: 5, results }
  const file = { date: '', node: '', cpus: '', measures: [measure] }

  test('has medians, quartiles and ratios to the first', () => {
    expect(results).toEqual([
      { peer: 'plain', low: 2, median: 3, high: 4, ratio: 1 },
      { peer: 'slow', low: 6, median: 6, high: 6, ratio: 2 },
    ])
    expect(quantile([1, 2], 0.5)).toBe(1.5)
  })

  test('becomes a table and a chart', () => {
    expect(markdownTable([measure])).toBe('| measure | plain | slow |\n| --- | --: | --: |\n| A < B | 3.0 us | 2.00 |')
    expect(svgChart([measure])).toContain('A &lt; B')
  })

  test('is a regression where a ratio is a fifth worse than before', () => {
    const now = (ratio: number) => [{ ...measure, results: results.map((result) => ({ ...result, ratio })) }]
    expect(regressions(file, now(2.4))).toEqual(['m: plain takes 2.40 times the baseline; the file says 1.00'])
    expect(regressions(file, now(2.41))).toHaveLength(2)
    expect(regressions(file, [{ ...measure, name: 'other' }])).toEqual([])
  })
})
