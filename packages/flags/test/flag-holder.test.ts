import { isMillraceError } from '@millrace/core'
import { type ManualClock, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createFlagHolder, type FlagHolder } from '../src/flag-holder.ts'
import type { FlagDocument } from '../src/document.ts'
import { flagdTargeting } from '../src/flagd.ts'
import { flagIssue } from '../src/issues.ts'
import type { FlagReading } from '../src/read-document.ts'
import type { FlagSourceEvent } from '../src/source.ts'
import { flag, reading, streaming } from './support/documents.ts'

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
  holder.accept(reading(on))
  await ready
  await holder.source.ready()
  expect(ask()).toMatchObject({ value: true, reason: 'SPLIT' })
  expect(types(events)).toEqual(['ready'])
})

it('rejects ready if the first attempt failed, and resolves it after one succeeded', async () => {
  const { holder, events } = hold()
  const waiting = holder.source.ready().catch((error: unknown) => error)
  holder.fail('unreachable', 'no file')
  expect(isMillraceError(await waiting, 'flag_failed')).toBe(true)
  await expect(holder.source.ready()).rejects.toThrow('flag source "test": no file')
  expect(holder.source.describe().status).toBe('failed')
  holder.accept(reading(on))
  await holder.source.ready()
  expect(types(events)).toEqual(['failed', 'recovered', 'ready'])
})

it('rejects ready with the reason of its signal, and when it is closed', async () => {
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

it('keeps its document when an update fails, and reports the failure once and its end', () => {
  const { holder, ask, events } = hold()
  holder.accept(reading(on))
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
  holder.accept(reading(on))
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

it('is stale at once with an old document', () => {
  const { holder, events, clock } = hold(1000)
  holder.accept(reading(on), clock.now() - 5000)
  expect(holder.source.describe()).toMatchObject({ status: 'stale', ageMs: 5000 })
  expect(types(events)).toContain('stale')
})

it.each<[string, FlagDocument, string]>([
  ['an emptied document', { flags: {} }, 'emptied'],
  ['one that lacks the kill switch', streaming({ percent: 100 }), 'dropped'],
  ['one that lacks a flag in use', { flags: { 'use_streaming.kill': flag() } }, 'dropped'],
])('refuses %s', (_, document, code) => {
  const { holder, ask } = hold()
  holder.accept(reading({ flags: { ...on.flags, 'use_streaming.kill': flag(), other: flag() } }))
  ask()
  expect(holder.accept(reading(document))).toMatchObject({ code })
  expect(ask()).toMatchObject({ value: true })
})

it('accepts the removal of a flag that nobody has asked for', () => {
  const { holder } = hold()
  holder.accept(reading({ flags: { ...on.flags, other: flag() } }))
  expect(holder.accept(reading(on))).toBeUndefined()
})

it('refuses the removal of a wildcard that answered for a tool', () => {
  const { holder } = hold()
  const tools = { flags: { ...on.flags, 'use_streaming.tool.*': flag() } }
  holder.accept(reading(tools))
  expect(holder.accept(reading(on))).toBeUndefined()
  holder.accept(reading(tools))
  holder.source.getBooleanDetails('use_streaming.tool.bash', false)
  expect(holder.accept(reading(on))).toMatchObject({ code: 'dropped' })
})

describe('a flag that becomes invalid', () => {
  const broken: FlagReading = {
    status: 'read',
    document: { flags: { other: flag({ percent: 100 }) } },
    issues: [flagIssue('error', ['flags', 'use_streaming', 'state'], 'is missing')],
    invalid: new Map([['use_streaming', {}]]),
  }
  const both = reading({ flags: { ...on.flags, other: flag() } })

  it('keeps its last valid definition, while the others change', () => {
    const { holder, ask, events } = hold()
    holder.accept(both)
    ask()
    expect(holder.accept(broken)).toBeUndefined()
    expect(ask()).toMatchObject({ value: true, reason: 'SPLIT' })
    expect(holder.source.getBooleanDetails('other', false)).toMatchObject({ value: true })
    expect(holder.source.describe()).toMatchObject({
      status: 'ready',
      problem: { code: 'invalid', message: 'these flags are invalid: use_streaming', issues: broken.issues },
      flags: [{ key: 'other' }, { key: 'use_streaming', rule: expect.stringMatching(/^on for all.*; kept, because/) }],
    })
    expect(events.slice(1)).toMatchObject([{ type: 'failed' }, { type: 'changed', flags: ['other'] }])
  })

  it('stays in force through further documents, and is reported once', () => {
    const { holder, ask, events } = hold()
    holder.accept(both)
    for (let reload = 0; reload < 3; reload++) {
      holder.accept(broken)
      holder.confirm()
    }
    expect(ask()).toMatchObject({ value: true })
    expect(types(events)).toEqual(['ready', 'failed', 'changed'])
    holder.accept(reading({ flags: { ...off.flags, other: flag({ percent: 100 }) } }))
    expect(ask()).toMatchObject({ value: false })
    expect(types(events)).toEqual(['ready', 'failed', 'changed', 'recovered', 'changed'])
    expect(holder.source.describe()).not.toHaveProperty('problem')
  })

  it('may not be dropped while it is in use', () => {
    const { holder, ask } = hold()
    holder.accept(both)
    ask()
    holder.accept(broken)
    expect(holder.accept(reading(broken.document))).toMatchObject({ code: 'dropped' })
  })

  it('is an error if there never was a valid definition', async () => {
    const { holder, ask, events } = hold()
    holder.accept(broken)
    await holder.source.ready()
    expect(ask()).toMatchObject({ value: false, errorCode: 'PARSE_ERROR' })
    expect(holder.source.getBooleanDetails('other', false)).toMatchObject({ value: true })
    expect(types(events)).toEqual(['failed', 'ready'])
  })

  it('kills at once if it is the kill switch, and stops killing once it is valid', () => {
    const { holder } = hold()
    const kill = 'use_streaming.kill'
    const isKilled = (): boolean => holder.source.getBooleanDetails(kill, false).value
    holder.accept(reading({ flags: { ...on.flags, [kill]: flag() } }))
    expect(isKilled()).toBe(false)
    holder.accept({ ...broken, document: on, invalid: new Map([[kill, {}]]) })
    expect(isKilled()).toBe(true)
    holder.accept(reading({ flags: { ...on.flags, [kill]: flag() } }))
    expect(isKilled()).toBe(false)
  })

  it('is reported again after the source was stale', () => {
    const { holder, events, clock } = hold(1000)
    holder.accept(broken)
    clock.advance(1001)
    holder.confirm()
    expect(types(events)).toEqual(['failed', 'ready', 'stale', 'recovered', 'failed'])
  })
})

it('refuses a document in which no rule can be evaluated', () => {
  const holder = createFlagHolder({ name: 'test', clock: manualClock(), maxAge: 1000, targeting: flagdTargeting() })
  holder.accept(reading(on))
  const dangling = streaming(undefined, { targeting: { if: [{ $ref: 'nobody' }, 'on', 'off'] } })
  expect(holder.accept(reading(dangling))).toMatchObject({
    code: 'invalid',
    issues: [{ path: '$.flags.use_streaming.targeting' }],
  })
  expect(holder.source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
})

it('names the flags that changed, and all of them if a segment did', () => {
  const { holder, events } = hold()
  holder.accept(reading({ flags: { ...off.flags, other: flag() } }))
  holder.accept(reading({ flags: { ...on.flags, other: flag() } }))
  holder.accept(reading({ flags: { ...on.flags, other: flag() } }))
  holder.accept(reading({ flags: { ...on.flags, other: flag() }, $segments: { a: {} } }))
  expect(events.slice(1)).toEqual([
    { type: 'changed', flags: ['use_streaming'] },
    { type: 'changed', flags: ['use_streaming', 'other'] },
  ])
})

it('survives a listener that throws, and does not call one that left', () => {
  const { holder, events } = hold()
  holder.source.onChange(() => {
    throw new Error('listener')
  })
  const heard: string[] = []
  const leave = holder.source.onChange(({ type }) => heard.push(type))
  holder.accept(reading(off))
  leave()
  leave()
  holder.accept(reading(on))
  expect(heard).toEqual(['ready'])
  expect(types(events)).toEqual(['ready', 'changed'])
})

it('answers even if the context throws', () => {
  const { holder } = hold()
  holder.accept(reading(streaming({ percent: 50 })))
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

it('frees its timers when it is closed, stops what feeds it, and still answers', async () => {
  const clock = manualClock()
  let stopped = 0
  const holder = createFlagHolder({ name: 'test', clock, maxAge: 1000, stop: () => void stopped++ })
  holder.accept(reading(on))
  expect(clock.pending).toBe(1)
  await holder.source.close()
  await holder.source.close()
  expect(clock.pending).toBe(0)
  expect(stopped).toBe(1)
  holder.accept(reading(off))
  holder.fail('invalid', 'late')
  holder.confirm()
  expect(holder.source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
  expect(holder.source.describe()).toMatchObject({ status: 'closed' })
  expect(clock.pending).toBe(0)
})

it('refuses wrong options', () => {
  expect(() => createFlagHolder({ name: 'test', clock: manualClock(), maxAge: 0 })).toThrow('maxAge')
})
