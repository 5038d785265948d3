import { isMillraceError } from '@millrace/core'
import { expect, it } from 'vitest'
import { createFlagHolder, type FlagHolder } from '../src/flag-holder.ts'
import type { FlagDocument } from '../src/document.ts'
import type { FlagSourceEvent } from '../src/source.ts'
import { flag, streaming } from './support/documents.ts'
import { type ManualClock, manualClock } from './support/manual-clock.ts'

function hold(maxAge = 1000): {
  clock: ManualClock
  holder: FlagHolder
  events: FlagSourceEvent[]
  ask: () => unknown
} {
  const clock = manualClock()
  const holder = createFlagHolder({ name: 'test', clock, maxAge })
  const events: FlagSourceEvent[] = []
  holder.source.onChange((event) => events.push(event))
  return {
    clock,
    holder,
    events,
    ask: () => holder.source.getBooleanDetails('use_streaming', false, { targetingKey: 'u' }),
  }
}

const on = streaming({ percent: 100 })
const off = streaming({ percent: 0 })
const types = (events: readonly FlagSourceEvent[]): string[] => events.map(({ type }) => type)

it('answers with the fallback until its first flags are there', async () => {
  const { holder, ask, events } = hold()
  expect(ask()).toMatchObject({ value: false, errorCode: 'PROVIDER_NOT_READY' })
  expect(holder.source.describe()).toMatchObject({ status: 'starting', flags: [] })
  const ready = holder.source.ready()
  holder.accept(on, [])
  await ready
  await holder.source.ready()
  expect(ask()).toMatchObject({ value: true, reason: 'SPLIT' })
  expect(types(events)).toEqual(['ready'])
})

it('rejects ready where the first attempt failed, and resolves it once one succeeded', async () => {
  const { holder, events } = hold()
  const waiting = holder.source.ready().catch((error: unknown) => error)
  holder.fail('unreachable', 'no file')
  expect(isMillraceError(await waiting, 'flag_failed')).toBe(true)
  await expect(holder.source.ready()).rejects.toThrow('flag source test: no file')
  expect(holder.source.describe().status).toBe('failed')
  holder.accept(on, [])
  await holder.source.ready()
  expect(types(events)).toEqual(['failed', 'recovered', 'ready'])
})

it('ends ready with the reason of its signal, and when it is closed', async () => {
  const { holder } = hold()
  const reason = new Error('enough')
  const aborting = new AbortController()
  const aborted = holder.source.ready(aborting.signal)
  aborting.abort(reason)
  await expect(aborted).rejects.toBe(reason)
  await expect(holder.source.ready(AbortSignal.abort(reason))).rejects.toBe(reason)
  const waiting = holder.source.ready()
  await Promise.all([holder.source.close(), expect(waiting).rejects.toThrow('was closed')])
})

it('keeps what it has when an update fails, says so once, and says when it is over', () => {
  const { holder, ask, events } = hold()
  holder.accept(on, [])
  holder.fail('invalid', 'broken')
  holder.fail('invalid', 'broken')
  expect(ask()).toMatchObject({ value: true })
  expect(holder.source.describe()).toMatchObject({ status: 'ready', problem: { code: 'invalid', message: 'broken' } })
  holder.confirm()
  expect(holder.source.describe()).not.toHaveProperty('problem')
  expect(types(events)).toEqual(['ready', 'failed', 'recovered'])
})

it('is stale after its maximum age, still answers, and recovers', () => {
  const { holder, ask, events, clock } = hold(1000)
  holder.accept(on, [])
  clock.advance(1000)
  expect(ask()).toMatchObject({ reason: 'SPLIT' })
  holder.confirm()
  clock.advance(1000)
  expect(types(events)).toEqual(['ready'])
  clock.advance(1)
  expect(ask()).toMatchObject({ value: true, reason: 'STALE' })
  expect(holder.source.describe()).toMatchObject({ status: 'stale', ageMs: 1001 })
  clock.advance(10_000)
  expect(types(events)).toEqual(['ready', 'stale'])
  holder.confirm()
  expect(ask()).toMatchObject({ reason: 'SPLIT' })
  expect(types(events)).toEqual(['ready', 'stale', 'recovered'])
})

it('is stale at once with what is old already', () => {
  const { holder, events, clock } = hold(1000)
  holder.accept(on, [], clock.now() - 5000)
  expect(holder.source.describe()).toMatchObject({ status: 'stale', ageMs: 5000 })
  expect(types(events)).toContain('stale')
})

it.each<[string, FlagDocument, string]>([
  ['an emptied document', { flags: {} }, 'emptied'],
  ['one that lacks the kill switch', streaming({ percent: 100 }), 'dropped'],
  ['one that lacks a flag in use', { flags: { 'use_streaming.kill': flag() } }, 'dropped'],
])('refuses %s', (_, document, code) => {
  const { holder, ask } = hold()
  holder.accept({ flags: { ...on.flags, 'use_streaming.kill': flag(), other: flag() } }, [])
  ask()
  expect(holder.accept(document, [])).toMatchObject({ code })
  expect(ask()).toMatchObject({ value: true })
})

it('lets go of a flag that nobody has asked for', () => {
  const { holder } = hold()
  holder.accept({ flags: { ...on.flags, other: flag() } }, [])
  expect(holder.accept(on, [])).toBeUndefined()
})

it('holds on to the wildcard that answered for a tool', () => {
  const { holder } = hold()
  const tools = { flags: { ...on.flags, 'use_streaming.tool.*': flag() } }
  holder.accept(tools, [])
  expect(holder.accept(on, [])).toBeUndefined()
  holder.accept(tools, [])
  holder.source.getBooleanDetails('use_streaming.tool.bash', false)
  expect(holder.accept(on, [])).toMatchObject({ code: 'dropped' })
})

it('names the flags that changed, all of them where a segment did', () => {
  const { holder, events } = hold()
  holder.accept({ flags: { ...off.flags, other: flag() } }, [])
  holder.accept({ flags: { ...on.flags, other: flag() } }, [])
  holder.accept({ flags: { ...on.flags, other: flag() } }, [])
  holder.accept({ flags: { ...on.flags, other: flag() }, $segments: { a: {} } }, [])
  expect(events.slice(1)).toEqual([
    { type: 'changed', flags: ['use_streaming'] },
    { type: 'changed', flags: ['use_streaming', 'other'] },
  ])
})

it('survives a listener that throws, and forgets one that left', () => {
  const { holder, events } = hold()
  holder.source.onChange(() => {
    throw new Error('listener')
  })
  const heard: string[] = []
  const leave = holder.source.onChange(({ type }) => heard.push(type))
  holder.accept(off, [])
  leave()
  leave()
  holder.accept(on, [])
  expect(heard).toEqual(['ready'])
  expect(types(events)).toEqual(['ready', 'changed'])
})

it('answers, whatever the context throws', () => {
  const { holder } = hold()
  holder.accept(streaming({ percent: 50 }), [])
  const hostile = {
    get targetingKey(): string {
      throw new Error('context')
    },
  }
  expect(holder.source.getBooleanDetails('use_streaming', false, hostile)).toMatchObject({
    value: false,
    reason: 'ERROR',
  })
  expect(holder.source.resolve('use_streaming', hostile)).toMatchObject({ status: 'error' })
})

it('frees its timers when it is closed, stops what feeds it, and goes on answering', async () => {
  const clock = manualClock()
  let stopped = 0
  const holder = createFlagHolder({ name: 'test', clock, maxAge: 1000, stop: () => void stopped++ })
  holder.accept(on, [])
  expect(clock.pending).toBe(1)
  await holder.source.close()
  await holder.source.close()
  expect(clock.pending).toBe(0)
  expect(stopped).toBe(1)
  holder.accept(off, [])
  holder.fail('invalid', 'late')
  holder.confirm()
  expect(holder.source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
  expect(holder.source.describe()).toMatchObject({ status: 'closed' })
  expect(clock.pending).toBe(0)
})

it('says what is wrong with its options', () => {
  expect(() => createFlagHolder({ name: 'test', clock: manualClock(), maxAge: 0 })).toThrow('maxAge')
})
