import type { FlagClient } from '@millrace/core'
import { manualClock } from '@millrace/testing/async'
import {
  type Client,
  FirstSuccessfulStrategy,
  type Hook,
  MultiProvider,
  OpenFeature,
  ProviderEvents,
  ProviderStatus,
  TypedInMemoryProvider,
} from '@openfeature/server-sdk'
import { afterEach, expect, expectTypeOf, it } from 'vitest'
import { combineFlags } from '../src/combine-flags.ts'
import type { FlagDocument } from '../src/document.ts'
import { createFlagHolder, type FlagHolder } from '../src/flag-holder.ts'
import { flagdTargeting } from '../src/flagd.ts'
import { fixedFlags } from '../src/fixed-flags.ts'
import { createProvider } from '../src/openfeature.ts'
import { everything, flag, reading, streaming } from './support/documents.ts'

afterEach(() => OpenFeature.close())

async function connect(document: FlagDocument): Promise<Client> {
  const source = fixedFlags(document, { targeting: flagdTargeting() })
  await OpenFeature.setProviderAndWait('test', createProvider(source))
  return OpenFeature.getClient('test')
}

function heard(client: Client, ...types: ProviderEvents[]): string[] {
  const events: string[] = []
  for (const type of types) client.addHandler(type, () => void events.push(type))
  return events
}

it('resolves flags of all types, with variant, reason and metadata', async () => {
  const client = await connect(everything)
  const context = { targetingKey: 'u123', plan: 'vip' }
  expect(await client.getBooleanDetails('use_streaming', false, context)).toEqual({
    flagKey: 'use_streaming',
    value: true,
    variant: 'on',
    reason: 'TARGETING_MATCH',
    flagMetadata: { flagSetId: 'test', version: '1', owner: 'chat', ticket: 7, temporary: true },
  })
  expect(await client.getStringValue('theme', 'none', context)).toBe('d')
  expect(await client.getStringValue('theme', 'none', { plan: 'trial' })).toBe('none')
  expect(await client.getNumberValue('limit', 0)).toBe(1)
  expect(await client.getObjectValue('layout', {})).toEqual({ columns: 3 })
})

it('gives the SDK its error codes, and the default', async () => {
  const client = await connect(streaming({ percent: 50 }))
  expect(await client.getBooleanDetails('nothing', true)).toMatchObject({ value: true, errorCode: 'FLAG_NOT_FOUND' })
  expect(await client.getNumberDetails('use_streaming', 7, { targetingKey: 'u' })).toMatchObject({
    value: 7,
    errorCode: 'TYPE_MISMATCH',
  })
  expect(await client.getBooleanDetails('use_streaming', false)).toMatchObject({
    value: false,
    errorCode: 'TARGETING_KEY_MISSING',
  })
})

it('calls the hooks of the SDK', async () => {
  const client = await connect(streaming({ percent: 100 }))
  const stages: string[] = []
  const hook: Hook = {
    before: () => void stages.push('before'),
    after: (_, details) => void stages.push(`after ${JSON.stringify(details.value)}`),
    finally: () => void stages.push('finally'),
  }
  await client.getBooleanValue('use_streaming', false, {}, { hooks: [hook] })
  expect(stages).toEqual(['before', 'after true', 'finally'])
})

it('reports to the SDK what happens to the source', async () => {
  const clock = manualClock()
  const holder: FlagHolder = createFlagHolder({ name: 'held', clock, maxAge: 1000 })
  const provider = createProvider(holder.source)
  expect(provider.metadata.name).toBe('millrace-held')
  const set = OpenFeature.setProviderAndWait('test', provider)
  const client = OpenFeature.getClient('test')
  holder.accept(reading(streaming()))
  await set
  expect(client.providerStatus).toBe(ProviderStatus.READY)
  const changes: unknown[] = []
  client.addHandler(ProviderEvents.ConfigurationChanged, (details) => void changes.push(details?.flagsChanged))
  const events = heard(client, ProviderEvents.Stale, ProviderEvents.Error, ProviderEvents.ConfigurationChanged)
  holder.accept(reading(streaming({ percent: 100 })))
  expect(changes).toEqual([['use_streaming']])
  holder.fail('unreachable', 'the file is gone')
  expect(client.providerStatus).toBe(ProviderStatus.ERROR)
  expect(await client.getBooleanValue('use_streaming', false)).toBe(true)
  holder.confirm()
  expect(client.providerStatus).toBe(ProviderStatus.READY)
  clock.advance(1001)
  expect(client.providerStatus).toBe(ProviderStatus.STALE)
  expect(await client.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true, reason: 'STALE' })
  expect(events).toEqual([ProviderEvents.ConfigurationChanged, ProviderEvents.Error, ProviderEvents.Stale])
  await OpenFeature.close()
  expect(holder.source.describe().status).toBe('closed')
  expect(clock.pending).toBe(0)
})

it('is in error if the first flags cannot be fetched, and ready once they are', async () => {
  const holder = createFlagHolder({ name: 'held', clock: manualClock(), maxAge: 1000 })
  holder.fail('unreachable', 'the file is gone')
  await expect(OpenFeature.setProviderAndWait('test', createProvider(holder.source))).rejects.toThrow(
    'the file is gone',
  )
  const client = OpenFeature.getClient('test')
  expect(client.providerStatus).toBe(ProviderStatus.ERROR)
  expect(await client.getBooleanValue('use_streaming', true)).toBe(true)
  holder.accept(reading(streaming()))
  expect(client.providerStatus).toBe(ProviderStatus.READY)
  expect(await client.getBooleanValue('use_streaming', true)).toBe(false)
})

it('survives a handler that throws or rejects', () => {
  const holder = createFlagHolder({ name: 'held', clock: manualClock(), maxAge: 1000 })
  const { events } = createProvider(holder.source)
  events?.addHandler(ProviderEvents.Ready, () => {
    throw new Error('handler')
  })
  events?.addHandler(ProviderEvents.Ready, () => Promise.reject(new Error('handler')))
  let called = 0
  const count = (): void => void called++
  events?.addHandler(ProviderEvents.Ready, count)
  expect(events?.getHandlers(ProviderEvents.Ready)).toHaveLength(3)
  holder.accept(reading(streaming()))
  events?.removeHandler(ProviderEvents.Ready, count)
  events?.removeAllHandlers(ProviderEvents.Ready)
  events?.removeAllHandlers()
  expect(called).toBe(1)
  expect(events?.getHandlers(ProviderEvents.Ready)).toEqual([])
})

it("works inside the SDK's own MultiProvider, which skips a source that fails", async () => {
  const failing = createFlagHolder({ name: 'failing', clock: manualClock(), maxAge: 1000 })
  const sources = [failing.source, fixedFlags(streaming({ percent: 100 }), { name: 'code' })]
  failing.accept(reading(streaming({ percent: 50 })))
  const provider = new MultiProvider(
    sources.map((source) => ({ provider: createProvider(source) })),
    new FirstSuccessfulStrategy(),
  )
  await OpenFeature.setProviderAndWait('test', provider)
  // Without a targeting key, the first source cannot draw its percentage.
  expect(await OpenFeature.getClient('test').getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
})

it('accepts an OpenFeature client as a FlagClient, as it is', async () => {
  expectTypeOf<Client>().toExtend<FlagClient>()
  const configuration = {
    use_streaming: { variants: { on: true, off: false }, defaultVariant: 'on', disabled: false },
  } as const
  await OpenFeature.setProviderAndWait('test', new TypedInMemoryProvider(configuration))
  const client: FlagClient = OpenFeature.getClient('test')
  const off = fixedFlags({ flags: { use_streaming: flag(), other: flag() } })
  const combined = combineFlags({ sources: [client, off] })
  expect(await combined.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true, reason: 'STATIC' })
  expect(await combined.getBooleanDetails('other', true)).toMatchObject({ value: false })
})
