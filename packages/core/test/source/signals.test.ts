import { deferred, manualClock } from '@millrace/testing/async'
import { getEventListeners } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MillraceError } from '../../src/index.ts'
import { fault } from '../../src/protocol/faults.ts'
import { linkedController, onAbort } from '../../src/kit/signals.ts'
import { streamSource } from '../../src/model/stream-source.ts'
import { createWatchdog } from '../../src/model/watchdog.ts'
import { recoveryDefaults } from '../../src/recovery/policy.ts'
import { manualModel, settled } from '../recovery/manual-model.ts'
import { request } from '../support/scripted.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length
const reason = new MillraceError('aborted', 'user')
const other = new MillraceError('aborted', 'another')
const never = (): Promise<never> => new Promise(() => {})

/** What nobody has caught until the test ends. */
function watchUnhandled(): unknown[] {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  return unhandled
}

describe('what waits for an abort', () => {
  it('shares one listener, is called once and in order, and leaves nothing behind', () => {
    const controller = new AbortController()
    const { signal } = controller
    const called: string[] = []
    for (const name of ['a', 'b', 'c']) onAbort(signal, () => called.push(name))
    expect(listeners(signal)).toBe(1)
    controller.abort()
    expect(called).toEqual(['a', 'b', 'c'])
    expect(listeners(signal)).toBe(0)
  })

  it('is not called once it has left, each by itself', () => {
    const controller = new AbortController()
    const { signal } = controller
    let called = 0
    const listener = (): void => void (called += 1)
    const leave = onAbort(signal, listener)
    const alsoLeave = onAbort(signal, listener)
    leave()
    leave()
    expect(listeners(signal)).toBe(1)
    alsoLeave()
    expect(listeners(signal)).toBe(0)
    onAbort(signal, listener)
    controller.abort()
    expect(called).toBe(1)
  })

  it('is not called where another has made it leave meanwhile', () => {
    const controller = new AbortController()
    const called: string[] = []
    let leave = (): void => {}
    onAbort(controller.signal, () => leave())
    leave = onAbort(controller.signal, () => called.push('left'))
    controller.abort()
    expect(called).toEqual([])
  })

  it('is called at once where the signal has aborted', () => {
    const signal = AbortSignal.abort()
    let called = 0
    onAbort(signal, () => (called += 1))()
    expect([called, listeners(signal)]).toEqual([1, 0])
  })
})

describe('a controller that follows a signal', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['hangs', never],
    ['has its value', () => Promise.resolve('value')],
    ['rejects', () => Promise.reject(new Error('its own'))],
  ])('that has aborted rejects with its reason, though what it waits for %s', async (_what, promise) => {
    const unhandled = watchUnhandled()
    const parent = AbortSignal.abort(reason)
    const link = linkedController(parent)
    expect(link.signal.reason).toBe(reason)
    await expect(link.race(promise())).rejects.toBe(reason)
    expect(listeners(parent)).toBe(0)
    link.dispose()
    await settled()
    expect(unhandled).toEqual([])
  })

  it('gives what each read gives, until one is cut by the abort', async () => {
    const unhandled = watchUnhandled()
    const parent = new AbortController()
    const link = linkedController(parent.signal)
    expect(await link.race(Promise.resolve(1))).toBe(1)
    await expect(link.race(Promise.reject(new Error('its own')))).rejects.toThrow('its own')
    const slow = deferred()
    const cut = link.race(slow.promise)
    parent.abort(reason)
    await expect(cut).rejects.toBe(reason)
    // The read that was left behind breaks later, when nobody looks.
    slow.reject(new Error('too late'))
    await settled()
    expect(listeners(parent.signal)).toBe(0)
    expect(unhandled).toEqual([])
  })

  it('and aborts between two reads harms neither the one before nor is forgotten by the one after', async () => {
    const unhandled = watchUnhandled()
    const parent = new AbortController()
    const link = linkedController(parent.signal)
    const before = link.race(Promise.resolve('before'))
    expect(await before).toBe('before')
    parent.abort(reason)
    expect(await before).toBe('before')
    await settled()
    expect(unhandled).toEqual([])
    await expect(link.race(never())).rejects.toBe(reason)
    await settled()
    expect(unhandled).toEqual([])
  })

  it.each([
    ['its own', true],
    ["its parent's", false],
  ])('keeps the first reason where both abort: %s', async (_which, ownFirst) => {
    const unhandled = watchUnhandled()
    const parent = new AbortController()
    const link = linkedController(parent.signal)
    const waiting = link.race(never())
    if (ownFirst) link.abort(reason)
    parent.abort(ownFirst ? other : reason)
    if (!ownFirst) link.abort(other)
    await expect(waiting).rejects.toBe(reason)
    expect(link.signal.reason).toBe(reason)
    await expect(link.race(never())).rejects.toBe(reason)
    link.dispose()
    expect(listeners(parent.signal)).toBe(0)
    expect(unhandled).toEqual([])
  })

  it('that is aborted without a reason rejects with the one that the platform gives', async () => {
    const link = linkedController(new AbortController().signal)
    const waiting = link.race(never())
    link.abort(undefined)
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    await expect(link.race(never())).rejects.toBe(link.signal.reason)
  })

  it('leaves nothing behind on its parent, and follows it no more, when it is disposed of', async () => {
    const unhandled = watchUnhandled()
    const parent = new AbortController()
    const links = Array.from({ length: 5 }, () => linkedController(parent.signal))
    expect(listeners(parent.signal)).toBe(1)
    for (const link of links) {
      for (let read = 0; read < 100; read++) await link.race(Promise.resolve(read))
    }
    // One listener for each, however many reads there were.
    expect(listeners(parent.signal)).toBe(1)
    for (const link of links) link.dispose()
    for (const link of links) link.dispose()
    expect(listeners(parent.signal)).toBe(0)
    parent.abort(reason)
    expect(links.map(({ signal }) => signal.aborted)).toEqual(links.map(() => false))
    await settled()
    expect(unhandled).toEqual([])
  })

  it('is aborted by a watchdog, with what the watchdog says', async () => {
    const unhandled = watchUnhandled()
    const clock = manualClock()
    const parent = new AbortController()
    const link = linkedController(parent.signal)
    const watchdog = createWatchdog(clock, recoveryDefaults, link.abort)
    const waiting = link.race(never())
    clock.advance(recoveryDefaults.connectTimeout)
    parent.abort(other)
    await expect(waiting).rejects.toMatchObject({ code: 'connect_timeout' })
    expect(link.signal.reason).toMatchObject({ code: 'connect_timeout' })
    watchdog.stop()
    expect([clock.pending, listeners(parent.signal)]).toEqual([0, 0])
    expect(unhandled).toEqual([])
  })
})

describe('a stream', () => {
  const body = { ...request, messages: [] }

  it.each(['before it is asked for', 'before its headers', 'between two reads', 'in a read'] as const)(
    'that is aborted %s ends with that reason, and leaves no timer and no listener',
    async (when) => {
      const unhandled = watchUnhandled()
      const clock = manualClock()
      const model = manualModel()
      const parent = new AbortController()
      const source = streamSource({ client: model.client, clock, limits: recoveryDefaults })
      const options = { signal: parent.signal, ready: () => undefined, onDrain: () => {} }
      if (when === 'before it is asked for') parent.abort(reason)
      const stream = source.open(body, options)[Symbol.asyncIterator]()
      const first = stream.next()
      first.catch(() => {})
      let last: Promise<unknown> = first
      if (when === 'before its headers') {
        await model.exchange(0)
        parent.abort(reason)
      }
      if (when === 'between two reads' || when === 'in a read') {
        const exchange = await model.exchange(0)
        exchange.begin('Hello')
        await first
        // Three events, three reads.
        await stream.next()
        await stream.next()
        if (when === 'between two reads') parent.abort(reason)
        last = stream.next()
        if (when === 'in a read') {
          await settled()
          parent.abort(reason)
        }
      }
      await expect(last).rejects.toBe(reason)
      await settled()
      expect(unhandled).toEqual([])
      expect([clock.pending, listeners(parent.signal)]).toEqual([0, 0])
    },
  )

  it('that a watchdog gives up says so, and not what the run was aborted with afterwards', async () => {
    const unhandled = watchUnhandled()
    const clock = manualClock()
    const model = manualModel()
    const parent = new AbortController()
    const source = streamSource({ client: model.client, clock, limits: recoveryDefaults })
    const stream = source.open(body, { signal: parent.signal, ready: () => undefined, onDrain: () => {} })
    const first = stream[Symbol.asyncIterator]().next()
    await model.exchange(0)
    clock.advance(recoveryDefaults.connectTimeout)
    parent.abort(reason)
    await expect(first).rejects.toMatchObject({ code: 'connect_timeout', message: fault('connect_timeout').message })
    await settled()
    expect(unhandled).toEqual([])
    expect([clock.pending, listeners(parent.signal)]).toEqual([0, 0])
  })
})
