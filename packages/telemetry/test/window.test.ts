import type { EventBody } from '@millrace/core'
import * as fc from 'fast-check'
import { type ManualClock, manualClock } from '@millrace/testing/async'
import { describe, expect, test } from 'vitest'
import {
  countAbove,
  histogramQuantile,
  latencyBoundaries,
  mergeSnapshots,
  subtractSnapshots,
  telemetry,
  type TelemetrySnapshot,
} from '../src/index.ts'
import { fellBack, finished, retracted, said, started, teller, toolFinished, toolStarted } from './told.ts'

const quarter = 900_000

interface ToldRun {
  readonly arm: 'control' | 'streaming'
  readonly outcome: 'completed' | 'failed' | 'interrupted'
  readonly firstMs: number
  readonly restMs: number
  readonly tool: string
  readonly toolFails: boolean
  readonly falls: boolean
}

const anyRun: fc.Arbitrary<ToldRun> = fc.record({
  arm: fc.constantFrom('control', 'streaming'),
  outcome: fc.constantFrom('completed', 'failed', 'interrupted'),
  firstMs: fc.nat(20_000),
  restMs: fc.nat(700_000),
  tool: fc.constantFrom('look_up', 'charge', '__proto__', 'a b'),
  toolFails: fc.boolean(),
  falls: fc.boolean(),
})

function watchOf(clock: ManualClock) {
  return telemetry({ clock, meter: false, tracer: false, limits: { tools: 10 } })
}

let ids = 0

/** Tells of a run that takes its time on the clock. */
function tellRun(watch: ReturnType<typeof watchOf>, clock: ManualClock, given: ToldRun): void {
  const { arm, outcome, firstMs, restMs, tool, toolFails, falls } = given
  const tell = teller(watch.onEvent, clock, `run-${++ids}`)
  const mode = arm === 'control' ? 'legacy' : 'stream'
  const error = { code: 'overloaded', message: '', retryable: true } as const
  const events: EventBody[] = falls ? [fellBack(), retracted] : []
  tell(started({ arm, mode }), ...events)
  clock.advance(firstMs)
  tell(said('Hello'), toolStarted(tool), toolFinished(tool, { outcome: toolFails ? 'error' : 'ok' }))
  clock.advance(restMs)
  tell(finished({ outcome, ...(outcome === 'failed' && { error }) }))
}

/** Without what a sum of floating point numbers may differ in, and in an order of its own. */
function comparable(snapshot: TelemetrySnapshot): unknown {
  const sorted = <T>(list: readonly T[]): T[] =>
    list.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
  return sorted(
    snapshot.groups.map(({ fallbacks, errors, ...rest }) => ({
      ...rest,
      fallbacks: sorted(fallbacks),
      errors: sorted(errors),
    })),
  )
}

test('merges snapshots of several instances to what one would have counted', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyRun, fc.nat(2)), { maxLength: 30 }), (runs) => {
      const clocks = [manualClock(), manualClock(), manualClock()] as const
      const all = watchOf(clocks[0])
      const parts = clocks.map(watchOf)
      for (const [run, index] of runs) {
        tellRun(all, manualClock(), run)
        tellRun(parts[index] ?? all, manualClock(), run)
      }
      // Through JSON, as it would travel.
      const travelled: TelemetrySnapshot[] = parts.map((part) => JSON.parse(JSON.stringify(part.window.totals())))
      expect(comparable(mergeSnapshots(travelled))).toEqual(comparable(all.window.totals()))
      expect(comparable(mergeSnapshots([all.window.totals()]))).toEqual(comparable(all.window.totals()))
    }),
  )
})

test('gives the second reading if the difference is added to the first', () => {
  fc.assert(
    fc.property(fc.array(anyRun, { maxLength: 15 }), fc.array(anyRun, { maxLength: 15 }), (before, after) => {
      const [clock, only] = [manualClock(), watchOf(manualClock())]
      const watch = watchOf(clock)
      for (const run of before) tellRun(watch, clock, run)
      const earlier = watch.window.totals()
      for (const run of after) tellRun(watch, clock, run)
      for (const run of after) tellRun(only, manualClock(), run)
      const later = watch.window.totals()
      const between = subtractSnapshots(later, JSON.parse(JSON.stringify(earlier)))
      expect(between).toMatchObject({ from: earlier.to, to: later.to, active: 0 })
      expect(comparable(mergeSnapshots([earlier, between]))).toEqual(comparable(later))
      const happened = between.groups.filter(({ requests, runs }) => requests.count > 0 || Object.keys(runs).length > 0)
      expect(comparable({ ...between, groups: happened })).toEqual(comparable(only.window.totals()))
    }),
  )
})

test('rejects an empty list and a snapshot of another version', () => {
  expect(() => mergeSnapshots([])).toThrow('needs at least one snapshot')
  const { window } = telemetry({ meter: false })
  const other: TelemetrySnapshot = JSON.parse(JSON.stringify({ ...window.snapshot(), version: 2 }))
  expect(() => mergeSnapshots([window.snapshot(), other])).toThrow('snapshots[1].version must be 1')
  expect(() => subtractSnapshots(window.snapshot(), other)).toThrow('earlier.version must be 1')
  expect(() => subtractSnapshots(other, window.snapshot())).toThrow('later.version must be 1')
})

describe('the window', () => {
  const quick: ToldRun = {
    arm: 'streaming',
    outcome: 'completed',
    firstMs: 0,
    restMs: 0,
    tool: 'look_up',
    toolFails: false,
    falls: false,
  }
  const judged = (snapshot: TelemetrySnapshot) => snapshot.groups.reduce((sum, group) => sum + group.judged, 0)

  test('forgets what is older than its length, in steps, while the totals keep everything', () => {
    const clock = manualClock(quarter * 1000)
    const watch = watchOf(clock)
    const perMinute: number[] = []
    for (let minute = 0; minute < 45; minute++) {
      tellRun(watch, clock, quick)
      perMinute.push(judged(watch.window.snapshot()))
      clock.advance(60_000)
    }
    expect(perMinute).toEqual(Array.from({ length: 45 }, (_, minute) => Math.min(minute + 1, 15)))
    expect(judged(watch.window.totals())).toBe(45)
    clock.advance(quarter)
    expect(judged(watch.window.snapshot())).toBe(0)
    expect(watch.window.snapshot().groups).toEqual([])
    expect(watch.window.totals()).toMatchObject({ version: 1, from: quarter * 1000, to: clock.now(), active: 0 })
  })

  test('reports the period that it covers', () => {
    const clock = manualClock(quarter * 1000)
    const watch = watchOf(clock)
    expect(watch.window.snapshot()).toMatchObject({ from: clock.now(), to: clock.now() })
    clock.advance(2 * quarter)
    expect(watch.window.snapshot()).toMatchObject({ from: clock.now() - quarter + 15_000, to: clock.now() })
  })

  test('loses nothing if the clock is set back a little, and starts over if it is set back far', () => {
    const clock = manualClock(quarter * 1000)
    const watch = watchOf(clock)
    tellRun(watch, clock, quick)
    clock.advance(-60_000)
    tellRun(watch, clock, quick)
    expect(judged(watch.window.snapshot())).toBe(2)
    clock.advance(-10 * quarter)
    tellRun(watch, clock, quick)
    expect(judged(watch.window.snapshot())).toBe(1)
    expect(judged(watch.window.totals())).toBe(3)
  })

  test('takes its length and steps from the options', () => {
    const clock = manualClock(0)
    const watch = telemetry({ clock, meter: false, window: { length: 1000, steps: 10 } })
    tellRun(watch, clock, quick)
    clock.advance(900)
    expect(judged(watch.window.snapshot())).toBe(1)
    clock.advance(100)
    expect(judged(watch.window.snapshot())).toBe(0)
  })
})

describe('latencies', () => {
  function histogramOf(values: readonly number[]) {
    const clock = manualClock()
    const watch = watchOf(clock)
    for (const ms of values) {
      tellRun(watch, clock, {
        arm: 'streaming',
        outcome: 'completed',
        tool: 'look_up',
        toolFails: false,
        falls: false,
        firstMs: 0,
        restMs: ms,
      })
    }
    const [group] = watch.window.totals().groups
    return group?.total
  }

  test('have rising boundaries, from 50 ms to more than ten minutes', () => {
    expect(latencyBoundaries[0]).toBe(50)
    expect(latencyBoundaries.at(-1)).toBeGreaterThan(600_000)
    expect(latencyBoundaries.toSorted((one, other) => one - other)).toEqual([...latencyBoundaries])
    expect(new Set(latencyBoundaries).size).toBe(latencyBoundaries.length)
  })

  test('give quantiles in the bucket of the true one, for any values', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(600_000), { minLength: 1, maxLength: 40 }), (values) => {
        const histogram = histogramOf(values)
        if (histogram === undefined) throw new Error('nothing counted')
        const sorted = values.toSorted((one, other) => one - other)
        for (const q of [0.01, 0.5, 0.9, 0.95, 0.99, 1]) {
          const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? 0
          const upper = latencyBoundaries.find((boundary) => exact <= boundary) ?? Infinity
          const lower = latencyBoundaries.findLast((boundary) => boundary < exact) ?? 0
          const estimate = histogramQuantile(histogram, q) ?? -1
          expect(estimate).toBeGreaterThanOrEqual(lower)
          expect(estimate).toBeLessThanOrEqual(upper)
        }
        expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(histogram.count)
        expect(histogram.sum).toBe(values.reduce((sum, ms) => sum + ms, 0))
      }),
    )
  })

  test('count exactly what is above a boundary, including the last', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(900_000), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...latencyBoundaries),
        (values, boundary) => {
          const histogram = histogramOf(values)
          if (histogram === undefined) throw new Error('nothing counted')
          expect(countAbove(histogram, boundary)).toBe(values.filter((ms) => ms > boundary).length)
        },
      ),
    )
    const late = histogramOf([900_000])
    expect(late && countAbove(late, 10_000_000)).toBe(1)
  })

  test('give no quantiles without values', () => {
    expect(histogramQuantile({ counts: [], count: 0, sum: 0 }, 0.5)).toBeUndefined()
    const watch = telemetry({ meter: false })
    const tell = teller(watch.onEvent, manualClock(), 'run')
    tell(started(), finished({ outcome: 'interrupted' }))
    expect(watch.window.totals().groups[0]?.total.quantiles).toEqual({ p50: null, p90: null, p95: null, p99: null })
  })
})
