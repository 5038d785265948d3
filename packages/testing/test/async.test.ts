import { describe, expect, test, vi } from 'vitest'
import { collect, deferred, macrotask, manualClock } from '../src/async.ts'

describe('manualClock', () => {
  test('fires what falls due in order, including timers that were set meanwhile', () => {
    const clock = manualClock(1000)
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name} at ${clock.now()}`)
    clock.setTimer(note('late'), 31)
    clock.setTimer(note('second'), 20)
    clock.setTimer(() => {
      note('first')()
      clock.setTimer(note('set by the first'), 5)
    }, 10)
    clock.setTimer(note('equal to the second'), 20)
    clock.advance(30)
    expect(fired).toEqual([
      'first at 1010',
      'set by the first at 1015',
      'second at 1020',
      'equal to the second at 1020',
    ])
    expect([clock.now(), clock.pending, clock.timersSet]).toEqual([1030, 1, 5])
  })

  test('does not fire a timer that was cancelled, and counts it no more', () => {
    const clock = manualClock()
    const fire = vi.fn<() => void>()
    const cancel = clock.setTimer(fire, 10)
    cancel()
    cancel()
    clock.advance(10)
    expect([fire.mock.calls.length, clock.pending, clock.timersSet]).toEqual([0, 0, 1])
  })

  test('keeps its time when a timer throws, and goes on with the next', () => {
    const clock = manualClock(0)
    const fire = vi.fn<() => void>()
    clock.setTimer(() => {
      throw new Error('broken')
    }, 10)
    clock.setTimer(fire, 20)
    expect(() => clock.advance(30)).toThrow('broken')
    expect([clock.now(), clock.pending]).toEqual([10, 1])
    clock.advance(20)
    expect([clock.now(), fire.mock.calls.length]).toEqual([30, 1])
  })

  test('can be set back, and then fires a timer when its time comes again', () => {
    const clock = manualClock(1000)
    const fired: number[] = []
    clock.setTimer(() => fired.push(clock.now()), 10)
    clock.advance(-500)
    expect([clock.now(), clock.pending]).toEqual([500, 1])
    clock.advance(509)
    expect(fired).toEqual([])
    clock.advance(1)
    expect(fired).toEqual([1010])
  })

  test('tells when a timer is set, of one delay or of any', async () => {
    const clock = manualClock()
    const seen: string[] = []
    const waiting = [
      clock.timer().then(() => seen.push('any')),
      clock.timer(20).then(() => seen.push('20 ms')),
      clock.timer(30).then(() => seen.push('30 ms')),
    ]
    await macrotask()
    expect(seen).toEqual([])
    clock.setTimer(() => {}, 20)
    await macrotask()
    expect(seen).toEqual(['any', '20 ms'])
    clock.setTimer(() => {}, 30)
    await Promise.all([...waiting, clock.timer(), clock.timer(20)])
    expect(seen).toEqual(['any', '20 ms', '30 ms'])
  })
})

test('a deferred promise is settled by hand', async () => {
  const given = deferred<number>()
  given.resolve(3)
  expect(await given.promise).toBe(3)
  const failed = deferred()
  failed.reject(new Error('no'))
  await expect(failed.promise).rejects.toThrow('no')
})

test('collect returns what an iterable yields, and rejects as it does', async () => {
  async function* items(): AsyncGenerator<number> {
    yield* [1, 2]
  }
  async function* broken(): AsyncGenerator<number> {
    yield 1
    throw new Error('broken')
  }
  expect(await collect(items())).toEqual([1, 2])
  await expect(collect(broken())).rejects.toThrow('broken')
})

test('a macrotask comes after every promise that waits for no event, even under fake timers', async () => {
  vi.useFakeTimers()
  try {
    let steps = 0
    const chain = async (): Promise<void> => {
      for (; steps < 1000; steps++) await Promise.resolve()
    }
    void chain()
    await macrotask()
    expect(steps).toBe(1000)
  } finally {
    vi.useRealTimers()
  }
})
