import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucketCount, bucketOf, bucketsIn } from '../src/bucket.ts'
import { fixedFlags } from '../src/fixed-flags.ts'
import type { FlagDocument } from '../src/document.ts'

const users = Array.from({ length: 100_000 }, (_, index) => `user-${index}`)

/** Written down once. A change here moves users of everyone who runs a rollout: it needs another algorithm name. */
const frozen: readonly (readonly [salt: string, unit: string, bucket: number])[] = [
  ['use_streaming', 'user-1', 52601],
  ['use_streaming', 'user-2', 71875],
  ['use_streaming', 'u123', 57431],
  ['use_streaming', 'ada@corp.example', 29663],
  ['use_streaming', '7f9c24e5-1d3b-4b0e-9a55-0e6f2f3f4a10', 90005],
  ['use_streaming.tool.bash', 'user-1', 95266],
  ['use_streaming.tool.*', 'user-1', 46915],
  ['2026-11-again', 'user-1', 47409],
  ['use_streaming', '', 6666],
  ['', 'user-1', 5295],
  ['use_streaming', '用户一', 28649],
  ['use_streaming', 'Ελένη', 69366],
  ['use_streaming', '👩‍💻', 15820],
  ['use_streaming', '42', 67737],
  ['use_streaming', 'x'.repeat(200), 66776],
]

it.each(frozen)('murmur3-32/1 puts %s / %s into bucket %i', (salt, unit, bucket) => {
  expect(bucketOf(salt, unit)).toBe(bucket)
})

it('computes the same buckets in another process', async () => {
  const script = `
    import { bucketOf } from '${new URL('../src/bucket.ts', import.meta.url).href}'
    console.log(JSON.stringify(${JSON.stringify(frozen)}.map(([salt, unit]) => bucketOf(salt, unit))))
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  expect(JSON.parse(stdout)).toEqual(frozen.map(([, , bucket]) => bucket))
})

const percents = [0.001, 0.1, 0.5, 1, 2, 5, 10, 25, 33.333, 50, 66.667, 75, 90, 95, 99, 99.9]

it.each(percents)('enrols %f percent of 100,000 users within binomial bounds', (percent) => {
  for (const salt of ['use_streaming', 'use_streaming.tool.bash', 'another', 's']) {
    const enrolled = users.filter((user) => bucketOf(salt, user) < bucketsIn(percent)).length
    const p = percent / 100
    // Six standard deviations: a fair hash fails this once in 500 million.
    expect(Math.abs(enrolled - users.length * p)).toBeLessThanOrEqual(6 * Math.sqrt(users.length * p * (1 - p)) + 1)
  }
})

it('fills its buckets evenly', () => {
  const cells = 100
  const counts = Array.from({ length: cells }, () => 0)
  for (const user of users) {
    const cell = Math.floor((bucketOf('use_streaming', user) * cells) / bucketCount)
    counts[cell] = (counts[cell] ?? 0) + 1
  }
  const expected = users.length / cells
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  // 99 degrees of freedom: mean 99, standard deviation 14.1.
  expect(chiSquare).toBeLessThan(99 + 6 * 14.1)
})

it('drops no user while a percentage grows from 1 to 100', () => {
  let before = new Set<string>()
  for (let percent = 1; percent <= 100; percent++) {
    const now = new Set(users.filter((user) => bucketOf('use_streaming', user) < bucketsIn(percent)))
    for (const user of before) if (!now.has(user)) throw new Error(`${user} was dropped at ${percent}%`)
    before = now
  }
  expect(before.size).toBe(users.length)
})

it('draws two flags independently', () => {
  const pairs = [
    ['use_streaming', 'use_streaming.tool.bash'],
    ['use_streaming.tool.bash', 'use_streaming.tool.web_search'],
    ['use_streaming', 'use_streaming/2'],
  ] as const
  for (const [one, other] of pairs) {
    for (const percent of [10, 50]) {
      const p = percent / 100
      const both = users.filter(
        (user) => bucketOf(one, user) < bucketsIn(percent) && bucketOf(other, user) < bucketsIn(percent),
      ).length
      const joint = p * p
      expect(Math.abs(both - users.length * joint)).toBeLessThan(6 * Math.sqrt(users.length * joint * (1 - joint)))
    }
  }
})

it('decides the same for a user in every source, and drops none when the percentage grows', () => {
  const documentOf = (percent: number): FlagDocument => ({
    flags: {
      use_streaming: {
        state: 'ENABLED',
        variants: { on: true, off: false },
        defaultVariant: 'off',
        rollout: { percent },
      },
    },
  })
  const percentage = fc.integer({ min: 0, max: bucketCount }).map((buckets) => buckets / 1000)
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), percentage, percentage, (targetingKey, one, other) => {
      const ask = (percent: number): boolean =>
        fixedFlags(documentOf(percent)).getBooleanDetails('use_streaming', false, { targetingKey }).value
      const [less, more] = [Math.min(one, other), Math.max(one, other)]
      expect(ask(less)).toBe(ask(less))
      expect(ask(more) || !ask(less)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
