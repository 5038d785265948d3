import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { estimateOf, toolProgress } from '../src/index.ts'
import { harness } from './call.ts'

test('sends the first report at once, later ones at the interval, and always the latest', async () => {
  const { call, clock, seen } = harness({ estimates: false })
  const end = await call((report) => {
    for (let progress = 1; progress <= 50; progress += 1) {
      report({ progress, total: 50 })
      clock.advance(10)
    }
    report({ message: 'done' })
    return 'result'
  })
  expect(end).toEqual({ outcome: 'ok', result: 'result' })
  expect(seen).toEqual([
    { at: 0, progress: 1, total: 50 },
    { at: 100, progress: 10, total: 50 },
    { at: 200, progress: 20, total: 50 },
    { at: 300, progress: 30, total: 50 },
    { at: 400, progress: 40, total: 50 },
    { at: 500, progress: 50, total: 50 },
    { at: 500, progress: 50, total: 50, message: 'done' },
  ])
})

test('sends what is held back before the result, even of a tool that throws', async () => {
  const { call, seen } = harness()
  const end = await call((report) => {
    report({ progress: 1 })
    report({ progress: 2, message: 'two' })
    throw new Error('broken')
  })
  expect(end.outcome).toBe('error')
  expect(seen).toEqual([
    { at: 0, progress: 1 },
    { at: 0, progress: 2, message: 'two' },
  ])
})

test('sends a waiting report at the end of the interval, without another report', async () => {
  const { call, clock, seen } = harness()
  await call((report) => {
    report({ message: 'a' })
    clock.advance(40)
    report({ message: 'b' })
    report({ message: 'c' })
    clock.advance(59)
    expect(seen).toHaveLength(1)
    clock.advance(1)
    expect(seen.at(-1)).toEqual({ at: 100, message: 'c' })
  })
  expect(seen).toHaveLength(2)
})

test('merges the fields of one interval, so that none hides another', async () => {
  const { call, clock, seen } = harness()
  await call((report) => {
    report({ progress: 1 })
    report({ message: 'copying' })
    report({ data: { file: 'a' } })
    report({ progress: 3 })
    clock.advance(100)
  })
  expect(seen[1]).toEqual({ at: 100, progress: 3, message: 'copying', data: { file: 'a' } })
})

test('never lets progress fall or exceed the total, and leaves out nonsense', async () => {
  const { call, seen } = harness({ interval: 0, estimates: false })
  await call((report) => {
    for (const progress of [5, 3, Number.NaN, -1, Infinity, 6]) report({ progress, total: 10 })
    report({ progress: 12 })
    report({ total: 4 })
    report({ progress: 12, total: 0 })
  })
  expect(seen.map(({ progress, total }) => [progress, total])).toEqual([
    [5, 10],
    [6, 10],
    [12, 12],
  ])
})

test('sends nothing after the result', async () => {
  const { call, clock, seen } = harness({ heartbeat: 1000 })
  let late = (_report: { progress: number }): void => {}
  await call((report) => {
    late = report
    report({ progress: 1 })
  })
  late({ progress: 2 })
  clock.advance(60_000)
  expect(seen).toEqual([{ at: 0, progress: 1 }])
  expect(clock.pending).toBe(0)
})

test('sends nothing after an abort, not even what was held back', async () => {
  const { call, clock, seen, controller } = harness()
  await call((report) => {
    report({ progress: 1 })
    report({ progress: 2 })
    controller.abort()
    report({ progress: 3 })
    clock.advance(60_000)
  })
  expect(seen).toEqual([{ at: 0, progress: 1 }])
  expect(clock.pending).toBe(0)
})

test('sends nothing for a call that is aborted before it starts', async () => {
  const { call, controller, seen } = harness()
  controller.abort()
  await call((report) => report({ progress: 1 }))
  expect(seen).toEqual([])
})

test('removes its listener from the signal', async () => {
  const { call, controller } = harness()
  const count = (): number => getEventListeners(controller.signal, 'abort').length
  await call(() => expect(count()).toBe(1))
  expect(count()).toBe(0)
})

test('repeats the last message of a silent tool', async () => {
  const { call, clock, seen } = harness({ heartbeat: 5000 })
  await call((report) => {
    clock.advance(5000)
    report({ progress: 1, message: 'compiling' })
    clock.advance(11_000)
  })
  expect(seen).toEqual([
    { at: 5000, message: 'Still running' },
    { at: 5100, progress: 1, message: 'compiling' },
    { at: 10_100, progress: 1, message: 'compiling' },
    { at: 15_100, progress: 1, message: 'compiling' },
  ])
})

test('sends no heartbeat if it is 0', async () => {
  const { call, clock, seen } = harness({ heartbeat: 0 })
  await call(() => {
    expect(clock.pending).toBe(0)
    clock.advance(1_000_000)
  })
  expect(seen).toEqual([])
})

test('estimates speed and remaining time of a steady tool exactly', async () => {
  const { call, clock, seen } = harness()
  await call((report) => {
    for (let progress = 0; progress <= 40; progress += 1) {
      report({ progress: progress * 5, total: 1000, data: { file: 'a' } })
      clock.advance(1000)
    }
  })
  expect(seen[0]?.data).toEqual({ file: 'a' })
  for (const { progress = 0, data } of seen.slice(1)) {
    const estimate = estimateOf(data)
    expect(estimate?.rate).toBeCloseTo(5, 9)
    expect(estimate?.etaMs).toBe((1000 - progress) * 200)
    expect(data).toMatchObject({ file: 'a' })
  }
})

test('follows a change of speed, and puts off the end of a tool that stands still', async () => {
  const { call, clock, seen } = harness({ heartbeat: 10_000 })
  await call((report) => {
    report({ progress: 0, total: 1000 })
    for (let second = 1; second <= 20; second += 1) {
      clock.advance(1000)
      report({ progress: second * 10, total: 1000 })
    }
    for (let second = 1; second <= 40; second += 1) {
      clock.advance(1000)
      report({ progress: 200 + second, total: 1000 })
    }
    expect(estimateOf(seen.at(-1)?.data)?.rate).toBeLessThan(1.3)
    expect(estimateOf(seen.at(-1)?.data)?.rate).toBeGreaterThan(1)
    const before = estimateOf(seen.at(-1)?.data)?.etaMs ?? 0
    clock.advance(60_000)
    expect(estimateOf(seen.at(-1)?.data)?.etaMs).toBeGreaterThan(before * 5)
  })
})

test('adds no estimate without a total, or to data that is not an object', async () => {
  const { call, clock, seen } = harness()
  await call((report) => {
    report({ progress: 1 })
    clock.advance(1000)
    report({ progress: 2 })
    clock.advance(1000)
    report({ progress: 3, total: 10, data: ['own'] })
  })
  expect(seen.map(({ data }) => data)).toEqual([undefined, undefined, ['own']])
})

test('copies data when it is reported, bounded and as JSON', async () => {
  const { call, seen } = harness({ interval: 0 })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  await call((report) => {
    const own = { step: 1 }
    report({ data: own })
    own.step = 2
    report({ data: circle })
    report({ data: 'x'.repeat(20_000) })
    report({ data: () => 1 })
    report({ message: '😀'.repeat(2000) })
  })
  expect(seen.slice(0, 4).map(({ data }) => data)).toEqual([
    { step: 1 },
    { omitted: 'not_json' },
    { omitted: 'too_large' },
    { omitted: 'not_json' },
  ])
  expect(seen[4]?.message).toBe(`${'😀'.repeat(500)}…`)
})

test('keeps sending after the clock was set back', async () => {
  const { call, clock, seen } = harness()
  const now = clock.now.bind(clock)
  await call((report) => {
    report({ message: 'a' })
    clock.now = () => now() - 3_600_000
    report({ message: 'b' })
    clock.advance(100)
  })
  expect(seen.map(({ message }) => message)).toEqual(['a', 'b'])
})

test('adds nothing to a tool whose flag is off, and does not change its result', async () => {
  const work = (report: (report: { progress: number }) => void): string => {
    report({ progress: 1 })
    return 'same'
  }
  const on = harness()
  const off = harness({ heartbeat: 1 }, false)
  expect(await off.call(work)).toEqual(await on.call(work))
  // The loop hands in a sink that does nothing; the middleware adds neither throttle nor heartbeat.
  expect(off.clock.pending).toBe(0)
  expect(off.seen).toEqual([{ at: 0, progress: 1 }])
})

test.each([
  [{ interval: -1 }, 'invalid_option', 'interval'],
  [{ heartbeat: Number.NaN }, 'invalid_option', 'heartbeat'],
  [{ intervall: 1 }, 'unknown_option', 'intervall'],
  [{ estimates: 'yes' }, 'invalid_option', 'estimates'],
])('refuses %j', (options, code, path) => {
  const given: object = options
  expect(() => toolProgress(given)).toThrow(expect.objectContaining({ code, path }))
})
