import { expect, test } from 'vitest'
import { benches } from '../src/benches.ts'
import { compare, formatRows } from '../src/compare.ts'

test.each(Object.keys(benches))('%s runs', async (name) => {
  const bench = benches[name]
  if (bench === undefined) throw new Error(name)
  const options = { units: 2, rounds: 1 }
  const rows = await compare(bench.comparison, options)
  expect(rows.map(({ variant }) => variant)).toEqual(Object.keys(bench.comparison.variants))
  expect(rows.every(({ nsPerUnit }) => nsPerUnit > 0)).toBe(true)
})

test('ratios are those of the medians, rounds are taken in turn, and the first of each is not timed', async () => {
  let time = 0
  const order: string[] = []
  const work = (name: string, times: readonly number[]) => {
    let call = 0
    return async (units: number): Promise<void> => {
      order.push(name)
      time += (times[call++] ?? 0) * units
    }
  }
  const comparison = {
    name: 'a sum',
    unit: 'step',
    variants: { plain: work('plain', [999, 2, 1, 30]), slow: work('slow', [999, 3, 500, 1]) },
  }
  const options = { units: 10, rounds: 3, now: () => time }
  const rows = await compare(comparison, options)
  expect(rows).toEqual([
    { variant: 'plain', ratio: 1, nsPerUnit: 2e6 },
    { variant: 'slow', ratio: 1.5, nsPerUnit: 3e6 },
  ])
  expect(order.join(' ')).toBe('plain slow plain slow plain slow plain slow')
  expect(formatRows(comparison, options, rows)).toBe(
    [
      'a sum: 10 × step, median of 3',
      '  plain    1.00     2,000,000 ns per step',
      '  slow     1.50     3,000,000 ns per step',
    ].join('\n'),
  )
})
