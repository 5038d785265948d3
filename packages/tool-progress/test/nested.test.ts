import type { ToolProgress } from '@millrace/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nested } from '../src/index.ts'

function record(): { seen: ToolProgress[]; sink: (report: ToolProgress) => void } {
  const seen: ToolProgress[] = []
  return { seen, sink: (report) => void seen.push(report) }
}

test('counts steps by weight, in their own units', () => {
  const { seen, sink } = record()
  const steps = nested(sink, { download: 3, install: 1 })
  steps.download({ progress: 512, total: 1024, message: 'half' })
  steps.install({ message: 'waiting' })
  steps.download.finish('downloaded')
  steps.install({ progress: 1, total: 4, data: { file: 'a' } })
  steps.install.finish()
  expect(seen).toEqual([
    { progress: 1.5, total: 4, message: 'half' },
    { progress: 1.5, total: 4, message: 'waiting' },
    { progress: 3, total: 4, message: 'downloaded' },
    { progress: 3.25, total: 4, data: { file: 'a' } },
    { progress: 4, total: 4 },
  ])
})

test('divides a step again', () => {
  const { seen, sink } = record()
  const { build } = nested(sink, { fetch: 1, build: 1 })
  const { compile, link } = nested(build, { compile: 9, link: 1 })
  compile.finish()
  link({ progress: 1, total: 2 })
  expect(seen.map(({ progress }) => progress)).toEqual([0.9, 0.95])
})

test('never falls, stays within the total, and ends exactly at it', () => {
  const weights = fc.dictionary(fc.string({ minLength: 1 }), fc.double({ min: 0.001, max: 1000, noNaN: true }), {
    minKeys: 1,
    maxKeys: 6,
  })
  const reports = fc.array(fc.record({ step: fc.nat(), progress: fc.double(), total: fc.double() }))
  fc.assert(
    fc.property(weights, reports, (given, list) => {
      const { seen, sink } = record()
      const steps = Object.values(nested(sink, given))
      for (const { step, progress, total } of list) steps[step % steps.length]?.({ progress, total })
      for (const step of steps) step.finish()
      let last = 0
      for (const { progress = -1, total = 0 } of seen) {
        expect(progress).toBeGreaterThanOrEqual(last)
        expect(progress).toBeLessThanOrEqual(total)
        last = progress
      }
      expect(seen.at(-1)?.progress).toBe(seen.at(-1)?.total)
    }),
  )
})

test('refuses a weight that is not above 0', () => {
  for (const weight of [0, -1, Number.NaN, Infinity]) {
    expect(() => nested(() => {}, { a: 1, b: weight })).toThrow(
      expect.objectContaining({ code: 'invalid_option', path: 'weights.b' }),
    )
  }
})
