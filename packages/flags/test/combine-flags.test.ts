import type { FlagClient, FlagDetails } from '@millrace/core'
import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import { combineFlags } from '../src/combine-flags.ts'
import { fixedFlags } from '../src/fixed-flags.ts'
import { flag, streaming } from './support/documents.ts'

const on = fixedFlags(streaming(undefined, { defaultVariant: 'on' }))
const off = fixedFlags(streaming())
const empty = fixedFlags({ flags: {} })
const kill = fixedFlags({ flags: { 'use_streaming.kill': flag(undefined, { defaultVariant: 'on' }) } })
const noKill = fixedFlags({ flags: { 'use_streaming.kill': flag() } })
const disabled = fixedFlags(streaming(undefined, { state: 'DISABLED' }))

const throwing: FlagClient = {
  getBooleanDetails() {
    throw new Error('down')
  },
}
const rejecting: FlagClient = { getBooleanDetails: () => Promise.reject(new Error('down')) }
const hanging: FlagClient = { getBooleanDetails: () => new Promise<FlagDetails<boolean>>(() => {}) }
const wrong: FlagClient = { getBooleanDetails: (_, value) => ({ value, reason: 'ERROR', errorCode: 'PARSE_ERROR' }) }
/** What a source that is not type-checked may answer with. */
const untyped = (answer: unknown): FlagClient => {
  const client: unknown = { getBooleanDetails: () => answer }
  if (!isClient(client)) throw new Error('no client')
  return client
}
function isClient(value: unknown): value is FlagClient {
  return typeof value === 'object' && value !== null && 'getBooleanDetails' in value
}
const slow = (client: FlagClient): FlagClient => ({
  getBooleanDetails: async (key, fallback, context) => {
    await Promise.resolve()
    return client.getBooleanDetails(key, fallback, context)
  },
})

const ask = (sources: FlagClient[], key = 'use_streaming', overrides: Record<string, boolean> = {}) =>
  combineFlags({ sources, overrides, clock: manualClock() }).getBooleanDetails(key, false)

it('uses the first source that knows the flag', () => {
  expect(ask([empty, on, off])).toMatchObject({ value: true })
  expect(ask([empty, off, on])).toMatchObject({ value: false, reason: 'STATIC' })
  expect(ask([disabled, on])).toMatchObject({ value: true })
})

it.each([
  ['throws', throwing],
  ['rejects', rejecting],
  ['answers with an error', wrong],
  ['is not ready', slow(wrong)],
  ['answers with nothing', untyped(undefined)],
  ['answers with a bare value', untyped(true)],
  ['answers with text, later', untyped(Promise.resolve({ value: 'on' }))],
])('skips a source that %s', async (_, source) => {
  expect(await ask([source, on])).toMatchObject({ value: true })
  expect(await ask([source, kill, on])).toMatchObject({ value: false, variant: 'killed' })
  expect(await ask([source])).toMatchObject({ value: false, errorCode: 'GENERAL' })
})

it('waits once for sources that hang, and uses the answers of the others', async () => {
  const clock = manualClock()
  const client = combineFlags({ sources: [hanging, on, hanging], timeout: 40, clock })
  const decided = client.getBooleanDetails('use_streaming', false)
  clock.advance(40)
  expect(await decided).toMatchObject({ value: true })
  expect(clock.pending).toBe(0)
})

it('asks all sources in parallel, and keeps their order', async () => {
  expect(await ask([slow(off), on])).toMatchObject({ value: false })
  expect(await ask([slow(slow(slow(on))), slow(off)])).toMatchObject({ value: true })
})

it('lets the kill switch of any source win over overrides and every order', () => {
  for (const sources of [
    [kill, on],
    [on, kill],
    [noKill, on, kill],
    [throwing, on, kill],
  ]) {
    for (const key of ['use_streaming', 'use_streaming.tool.bash']) {
      expect(ask(sources, key, { use_streaming: true, 'use_streaming.kill': false })).toMatchObject({
        value: false,
        variant: 'killed',
      })
    }
    expect(ask(sources, 'use_streaming.kill', { 'use_streaming.kill': false })).toMatchObject({ value: true })
  }
  expect(ask([on], 'use_streaming', { 'use_streaming.kill': true })).toMatchObject({ value: false })
  expect(ask([noKill, on], 'use_streaming.kill')).toMatchObject({ value: false })
})

it('does not affect flags other than those of streaming', () => {
  const other = fixedFlags({ flags: { use_streaming_soon: flag(undefined, { defaultVariant: 'on' }) } })
  expect(ask([kill, other], 'use_streaming_soon')).toMatchObject({ value: true })
})

it('prefers overrides to sources', () => {
  expect(ask([off], 'use_streaming', { use_streaming: true })).toMatchObject({ value: true, variant: 'override' })
  expect(ask([on], 'use_streaming', { use_streaming: false })).toMatchObject({ value: false })
})

it('says why it has no answer', () => {
  expect(ask([empty])).toMatchObject({ value: false, errorCode: 'FLAG_NOT_FOUND' })
  expect(ask([])).toMatchObject({ value: false, errorCode: 'FLAG_NOT_FOUND' })
  expect(ask([disabled])).toEqual({ value: false, reason: 'DISABLED' })
})

it('refuses wrong options', () => {
  expect(() => combineFlags({ sources: [], timeout: 0 })).toThrow('timeout')
})
