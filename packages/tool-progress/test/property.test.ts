import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { harness } from './call.ts'

const number = fc.oneof(fc.integer({ min: -3, max: 30 }), fc.double(), fc.constantFrom(Infinity, Number.NaN, 0))
const report = fc.oneof(
  fc.record({ progress: number, total: number, message: fc.string(), data: fc.anything() }, { requiredKeys: [] }),
  fc.anything(),
  fc.constant(null).map(() => ({
    get progress(): number {
      throw new Error('hostile')
    },
  })),
)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('report' as const), report }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('long' as const), ms: fc.integer({ min: 0, max: 30_000 }) }) },
)
const ending = fc.constantFrom('return', 'throw', 'abort', 'abort and go on')

test('stays monotone and within its rate, and sends nothing after the result, whatever a tool reports or throws', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.array(step, { maxLength: 5 }),
      ending,
      async (steps, late, how) => {
        const { call, clock, seen, controller } = harness({ interval: 100, heartbeat: 5000 })
        let report: (given: object) => void = () => {}
        let atAbort: number | undefined
        const play = (what: typeof steps): void => {
          for (const each of what) {
            if (each.kind === 'report') Reflect.apply(report, undefined, [each.report])
            else clock.advance(each.ms)
          }
        }
        const end = await call((sink) => {
          report = sink
          play(steps)
          if (how === 'throw') throw new Error('broken')
          if (how.startsWith('abort')) {
            atAbort = seen.length
            controller.abort()
          }
          if (how === 'abort and go on') play(late)
          return 'result'
        })
        const atEnd = seen.length
        play(late)
        clock.advance(100_000)

        expect(end.outcome).toBe(how === 'throw' ? 'error' : 'ok')
        expect(seen.length).toBe(atAbort ?? atEnd)
        expect(clock.pending).toBe(0)
        let last = 0
        let lastAt = -Infinity
        for (const [index, { at, progress, total, message, data }] of seen.entries()) {
          const flush = index === seen.length - 1
          expect(at - lastAt >= 100 || flush).toBe(true)
          expect(progress === undefined ? last : progress).toBeGreaterThanOrEqual(last)
          expect(total ?? Infinity).toBeGreaterThanOrEqual(progress ?? 0)
          expect(() => JSON.stringify({ message, data })).not.toThrow()
          last = progress ?? last
          lastAt = at
        }
      },
    ),
    { numRuns: 500 },
  )
})
