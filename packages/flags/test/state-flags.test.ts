import { isMillraceError } from '@millrace/core'
import { macrotask, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { changeFlag, changeKill, changeSegment } from '../src/change-flag.ts'
import { changeStateFlags } from '../src/change-state-flags.ts'
import type { FlagDocument } from '../src/document.ts'
import { isFlagFormatError } from '../src/errors.ts'
import type { FlagSourceEvent, LocalFlagSource } from '../src/source.ts'
import { stateFlags } from '../src/state-flags.ts'
import { flag } from './support/documents.ts'
import { type ScriptedStateStore, scriptedStateStore } from './support/state-store.ts'

const by = 'ada'
const percent = (store: ScriptedStateStore, value: number) =>
  changeStateFlags({ store, by }, (document) => changeFlag(document, 'use_streaming', { percent: value }))

function next(source: LocalFlagSource, type: FlagSourceEvent['type']): Promise<FlagSourceEvent> {
  return new Promise((resolve) => {
    const leave = source.onChange((event) => {
      if (event.type !== type) return
      leave()
      resolve(event)
    })
  })
}

describe('the source', () => {
  it('has no flags if the store has none, and sees the first', async () => {
    const store = scriptedStateStore()
    const source = stateFlags({ store, clock: manualClock() })
    await source.ready()
    expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
    const changed = next(source, 'changed')
    await percent(store, 100)
    expect(await changed).toEqual({ type: 'changed', flags: ['use_streaming'] })
    expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
    await source.close()
  })

  it.each(['silent', 'throws'] as const)('sees a kill within one poll if the watch is %s', async (notices) => {
    const store = scriptedStateStore()
    const clock = manualClock()
    store.notices = notices
    await percent(store, 100)
    const source = stateFlags({ store, clock, poll: 5000 })
    await source.ready()
    await changeStateFlags({ store, by }, (document) => changeKill(document, true))
    const changed = next(source, 'changed')
    clock.advance(5000)
    await changed
    expect(source.getBooleanDetails('use_streaming.kill', false)).toMatchObject({ value: true })
    await source.close()
  })

  it.each(['rejects', 'hangs'] as const)(
    'keeps what it knows while the store %s, and is stale in time',
    async (answer) => {
      const store = scriptedStateStore()
      const clock = manualClock()
      await percent(store, 100)
      const source = stateFlags({ store, clock, poll: 1000, timeout: 500, maxAge: 10_000 })
      await source.ready()
      await macrotask()
      store.answer = answer
      const failed = next(source, 'failed')
      clock.advance(1000)
      await macrotask()
      clock.advance(500)
      expect(await failed).toMatchObject({ problem: { code: 'unreachable', message: 'the store did not answer' } })
      const stale = next(source, 'stale')
      clock.advance(10_000)
      await stale
      expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true, reason: 'STALE' })
      store.answer = 'answers'
      const recovered = next(source, 'recovered')
      for (let turn = 0; turn < 4; turn++) {
        clock.advance(1000)
        await macrotask()
      }
      await recovered
      await source.close()
    },
  )

  it('survives a store that throws instead of rejecting', async () => {
    const clock = manualClock()
    const fail = (): never => {
      throw new Error('secret')
    }
    const source = stateFlags({ store: { ...scriptedStateStore(), get: fail, watch: fail }, clock })
    const error: unknown = await source.ready().catch((reason: unknown) => reason)
    expect(isMillraceError(error, 'flag_failed')).toBe(true)
    expect(JSON.stringify(source.describe())).not.toContain('secret')
    await source.close()
  })

  it('rejects ready if the store is down from the start, and recovers', async () => {
    const store = scriptedStateStore()
    store.answer = 'rejects'
    store.notices = 'throws'
    const clock = manualClock()
    const source = stateFlags({ store, clock })
    const error: unknown = await source.ready().catch((reason: unknown) => reason)
    expect(isMillraceError(error, 'flag_failed')).toBe(true)
    expect(String(error)).not.toContain('secret')
    store.answer = 'answers'
    const ready = next(source, 'ready')
    clock.advance(5000)
    await ready
    await source.close()
  })

  it('refuses what is not a flag document, and keeps the one before', async () => {
    const store = scriptedStateStore()
    await percent(store, 100)
    const source = stateFlags({ store, clock: manualClock() })
    await source.ready()
    const failed = next(source, 'failed')
    await store.set('millrace:flags', { flags: { use_streaming: 'on' } }, 1)
    expect(await failed).toMatchObject({ problem: { code: 'invalid', issues: [{ path: '$.flags.use_streaming' }] } })
    expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
    await source.close()
  })

  it('keeps reporting a refused document while it stays in the store', async () => {
    const store = scriptedStateStore()
    const clock = manualClock()
    await percent(store, 100)
    const source = stateFlags({ store, clock, poll: 1000 })
    await source.ready()
    const failed = next(source, 'failed')
    await store.set('millrace:flags', [], 1)
    await failed
    await macrotask()
    clock.advance(1000)
    await macrotask()
    expect(source.describe()).toMatchObject({ problem: { code: 'invalid' } })
    await source.close()
  })

  it('leaves no timer behind', async () => {
    const clock = manualClock()
    const source = stateFlags({ store: scriptedStateStore(), clock })
    await source.ready()
    await source.close()
    await macrotask()
    expect(clock.pending).toBe(0)
  })

  it('refuses wrong options', () => {
    const store = scriptedStateStore()
    expect(() => stateFlags({ store, poll: 0 })).toThrow('poll')
    expect(() => stateFlags({ store, timeout: Number.NaN })).toThrow('timeout')
  })
})

describe('changing', () => {
  it('writes a document of this format, and who changed it', async () => {
    const store = scriptedStateStore()
    const clock = manualClock(Date.UTC(2026, 0, 1))
    const change = { store, by, reason: 'beta', clock }
    const { version, document } = await changeStateFlags(change, (before) =>
      changeFlag(changeSegment(before, 'staff', { emailDomains: ['corp.example'] }), 'use_streaming', {
        percent: 5,
        include: ['staff'],
        salt: 'beta',
      }),
    )
    expect(version).toBe(1)
    expect((await store.get('millrace:flags'))?.value).toEqual(document)
    expect(document).toEqual({
      $format: 'millrace-flags/1',
      $segments: { staff: { emailDomains: ['corp.example'] } },
      flags: {
        use_streaming: {
          state: 'ENABLED',
          variants: { on: true, off: false },
          defaultVariant: 'off',
          rollout: { percent: 5, bucketing: { salt: 'beta' }, include: ['staff'], variant: 'on' },
        },
      },
      metadata: { updatedAt: '2026-01-01T00:00:00.000Z', updatedBy: 'ada', updateReason: 'beta' },
    })
    const next = await changeStateFlags({ store, by: 'bob', clock }, (before) => before)
    expect(next.document.metadata).toEqual({ updatedAt: '2026-01-01T00:00:00.000Z', updatedBy: 'bob' })
  })

  it('keeps the changes of two writers', async () => {
    const store = scriptedStateStore()
    store.before = async () => void (await changeStateFlags({ store, by }, (document) => changeKill(document, true)))
    const { document, version } = await percent(store, 10)
    expect(version).toBe(2)
    expect(Object.keys(document.flags)).toEqual(['use_streaming.kill', 'use_streaming'])
  })

  it('gives up if others never stop writing', async () => {
    const store = scriptedStateStore()
    const interfere = async (): Promise<void> => {
      const { version = 0 } = (await store.get('millrace:flags')) ?? {}
      await store.set('millrace:flags', { flags: {} }, version)
      store.before = interfere
    }
    store.before = interfere
    const error: unknown = await percent(store, 10).catch((reason: unknown) => reason)
    expect(isMillraceError(error, 'conflict')).toBe(true)
  })

  it('writes nothing invalid, and does not overwrite an unreadable document', async () => {
    const store = scriptedStateStore()
    const error: unknown = await percent(store, 200).catch((reason: unknown) => reason)
    expect(isFlagFormatError(error) && error.issues[0]?.path).toBe('$.flags.use_streaming.rollout.percent')
    expect(await store.get('millrace:flags')).toBeUndefined()
    await store.set('millrace:flags', { flags: [], $format: 'millrace-flags/9' }, 0)
    await expect(percent(store, 10)).rejects.toThrow('the stored flags are invalid')
  })

  describe('beside something invalid', () => {
    const theme = { state: 'ENABLED', variants: { light: 'l' }, defaultVariant: 'dark' }
    const stored = {
      flags: { theme, use_streaming: flag({ percent: 5, exclude: ['fragile'] }) },
      $segments: { fragile: { targetingKeys: ['u1'] }, broken: { users: [] } },
    }

    it('changes the other flags, and leaves it in the store as it is', async () => {
      const store = scriptedStateStore()
      await store.set('millrace:flags', stored, 0)
      const { document } = await changeStateFlags({ store, by }, (before) => changeKill(before, true))
      expect(Object.keys(document.flags)).toEqual(['use_streaming', 'use_streaming.kill'])
      expect((await store.get('millrace:flags'))?.value).toMatchObject({
        ...stored,
        flags: { ...stored.flags, 'use_streaming.kill': { defaultVariant: 'on' } },
      })
    })

    it('does not define it again, because its exclusions would be lost', async () => {
      const store = scriptedStateStore()
      const invalid = { ...flag({ percent: 5, exclude: ['fragile'] }), state: 'on' }
      await store.set('millrace:flags', { flags: { use_streaming: invalid, other: flag() } }, 0)
      await expect(percent(store, 10)).rejects.toThrow('the stored flag "use_streaming" is invalid: correct it')
      expect(await store.get('millrace:flags')).toMatchObject({ version: 1 })
    })

    it('replaces an invalid kill switch', async () => {
      const store = scriptedStateStore()
      await store.set('millrace:flags', { flags: { 'use_streaming.kill': 'on', other: flag() } }, 0)
      const source = stateFlags({ store, clock: manualClock() })
      await source.ready()
      expect(source.getBooleanDetails('use_streaming.kill', false)).toMatchObject({ value: true })
      const changed = next(source, 'changed')
      await changeStateFlags({ store, by }, (before) => changeKill(before, false))
      expect(await changed).toMatchObject({ flags: expect.arrayContaining(['use_streaming.kill']) })
      expect(source.getBooleanDetails('use_streaming.kill', true)).toMatchObject({ value: false })
      await source.close()
    })
  })

  it('stops when its signal aborts', async () => {
    const reason = new Error('enough')
    const store = scriptedStateStore()
    await expect(
      changeStateFlags({ store, by, signal: AbortSignal.abort(reason) }, (document) => document),
    ).rejects.toBe(reason)
  })
})

describe('a change of a flag', () => {
  const before: FlagDocument = { flags: {} }
  const change = (...changes: Parameters<typeof changeFlag>[2][]) =>
    changes.reduce((document, one) => changeFlag(document, 'a', one), before).flags

  it('switches a plain flag by its default variant, so that flagd reads it too', () => {
    expect(change({ serve: 'on' })).toMatchObject({ a: { defaultVariant: 'on' } })
    expect(change({ serve: 'on' }, { serve: 'off' })).toEqual({
      a: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' },
    })
    expect(changeKill(before, true).flags).toMatchObject({ 'use_streaming.kill': { defaultVariant: 'on' } })
  })

  it('switches a rollout by its percentage, and keeps salt, unit and exclusions', () => {
    const steps = { percent: 10, unit: 'team', salt: 's', include: ['in'], exclude: ['out'] }
    const kept = { unit: 'team', bucketing: { salt: 's' }, exclude: ['out'], variant: 'on' }
    expect(change(steps, { serve: 'off' })).toMatchObject({ a: { rollout: { ...kept, percent: 0 } } })
    expect(change(steps, { serve: 'off' })['a']?.rollout).not.toHaveProperty('include')
    expect(change(steps, { serve: 'on' })).toMatchObject({ a: { rollout: { ...kept, percent: 100, include: ['in'] } } })
  })

  it('changes a flag that was on for all to a share', () => {
    expect(change({ serve: 'on' }, { percent: 10 })).toMatchObject({
      a: { defaultVariant: 'off', rollout: { percent: 10, variant: 'on' } },
    })
  })

  it('refuses a flag that has targeting, or is not boolean', () => {
    const flags = {
      ruled: { state: 'ENABLED', variants: { on: true, off: false }, targeting: { if: [true, 'on', 'off'] } },
      text: { state: 'ENABLED', variants: { a: 'x' } },
    } as const
    expect(() => changeFlag({ flags }, 'ruled', { serve: 'off' })).toThrow('targeting')
    expect(() => changeFlag({ flags }, 'text', { serve: 'off' })).toThrow('no variant with the value true')
  })
})
