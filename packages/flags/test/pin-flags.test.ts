import type { FlagClient } from '@millrace/core'
import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import { pinFlags } from '../src/pin-flags.ts'

/** Says `true` to the first question, and turns its answer with every further one. */
function turning(asynchronous = false): FlagClient & { asked: number } {
  const client = {
    asked: 0,
    getBooleanDetails() {
      const details = { value: client.asked++ % 2 === 0, reason: 'SPLIT' }
      return asynchronous ? Promise.resolve(details) : details
    },
  }
  return client
}

it.each([false, true])('repeats the first decision of a session (asynchronous: %s)', async (asynchronous) => {
  const flags = pinFlags(turning(asynchronous), { clock: manualClock() })
  const ask = (sessionId: string, key = 'use_streaming') => flags.getBooleanDetails(key, false, { sessionId })
  expect(await ask('a')).toMatchObject({ value: true })
  expect(await ask('b')).toMatchObject({ value: false })
  expect(await ask('a')).toMatchObject({ value: true })
  expect(await ask('b')).toMatchObject({ value: false })
  expect(await ask('a', 'use_streaming.tool.bash')).toMatchObject({ value: true })
})

it('gives two first questions in parallel the same answer', async () => {
  const flags = pinFlags(turning(true), { clock: manualClock() })
  const ask = () => flags.getBooleanDetails('use_streaming', false, { sessionId: 'a' })
  const answers = await Promise.all([ask(), ask()])
  expect(answers.map(({ value }) => value)).toEqual([true, true])
})

it('never pins the kill switch, an error, or a decision without a session', async () => {
  const client = turning()
  const flags = pinFlags(client)
  for (const [key, context] of [
    ['use_streaming.kill', { sessionId: 'a' }],
    ['use_streaming', {}],
    ['use_streaming', undefined],
    ['use_streaming', { sessionId: '' }],
  ] as const) {
    const before = client.asked
    await flags.getBooleanDetails(key, false, context)
    await flags.getBooleanDetails(key, false, context)
    expect(client.asked - before).toBe(2)
  }
  let failing = true
  const recovering = pinFlags({
    getBooleanDetails: (_, fallback) => (failing ? { value: fallback, errorCode: 'GENERAL' } : { value: true }),
  })
  expect(recovering.getBooleanDetails('use_streaming', false, { sessionId: 'a' })).toMatchObject({ value: false })
  failing = false
  expect(recovering.getBooleanDetails('use_streaming', false, { sessionId: 'a' })).toMatchObject({ value: true })
})

it('drops the least recently used session, and one that has not been used for long', () => {
  const clock = manualClock()
  const client = turning()
  const flags = pinFlags(client, {
    capacity: 2,
    ttl: 1000,
    clock,
    pinTo: ({ room }) => (typeof room === 'string' ? room : undefined),
  })
  const ask = (room: string): number => {
    flags.getBooleanDetails('use_streaming', false, { room })
    return client.asked
  }
  expect([ask('a'), ask('b'), ask('a'), ask('c'), ask('a'), ask('b')]).toEqual([1, 2, 2, 3, 3, 4])
  clock.advance(999)
  expect(ask('b')).toBe(4)
  clock.advance(999)
  expect(ask('b')).toBe(4)
  clock.advance(1000)
  expect(ask('b')).toBe(5)
})

it('refuses wrong options', () => {
  expect(() => pinFlags(turning(), { capacity: 0 })).toThrow('capacity')
  expect(() => pinFlags(turning(), { ttl: 0 })).toThrow('ttl')
})
