import { afterEach, expect, test } from 'vitest'
import { macrotask } from '../src/async.ts'
import { createQuietTime, type QuietTime } from '../src/grade/quiet-time.ts'

let time: QuietTime | undefined
afterEach(() => time?.stop())

test('goes on to the next timer when nothing moves, in order', async () => {
  time = createQuietTime(() => 0, 1000)
  const clock = time.clock()
  const fired: string[] = []
  await new Promise<void>((resolve) => {
    clock.setTimer(() => (fired.push(`late ${clock.now()}`), resolve()), 600_000)
    clock.setTimer(() => fired.push(`soon ${clock.now()}`), 500)
    const cancel = clock.setTimer(() => fired.push('never'), 700)
    cancel()
    cancel()
    expect(clock.pending).toBe(2)
  })
  expect(fired).toEqual(['soon 1500', 'late 601000'])
  expect(clock.pending).toBe(0)
})

test('stands still while something moves', async () => {
  const traffic = { bytes: 0, isBusy: true }
  time = createQuietTime(() => (traffic.isBusy ? ++traffic.bytes : traffic.bytes))
  const clock = time.clock()
  let isOver = false
  const over = new Promise<void>((resolve) => {
    clock.setTimer(() => {
      isOver = true
      resolve()
    }, 1)
  })
  // Many looks happen in between; each sees that a byte came.
  while (traffic.bytes < 20) await macrotask()
  expect(isOver).toBe(false)
  traffic.isBusy = false
  await over
})

test('shares its time among clocks that count their own timers, and fires none after it is stopped', async () => {
  time = createQuietTime(() => 0, 0)
  const [one, other] = [time.clock(), time.clock()]
  await new Promise<void>((resolve) => one.setTimer(resolve, 50))
  expect(other.now()).toBe(50)
  other.setTimer(() => expect.unreachable(), 10)
  expect([one.pending, other.pending]).toEqual([0, 1])
  time.stop()
})
