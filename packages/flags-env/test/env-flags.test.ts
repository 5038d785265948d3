import { isFlagFormatError } from '@millrace/flags'
import { OpenFeature } from '@openfeature/server-sdk'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { envFlags } from '../src/index.ts'
import { envProvider } from '../src/openfeature.ts'

type Env = Record<string, string>

const named = (env: Env): Env =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [`MILLRACE_STREAMING${name}`, value]))

const ask = (env: Env, key = 'use_streaming', context = {}) =>
  envFlags({ env: named(env) }).getBooleanDetails(key, false, context)

describe('streaming', () => {
  it.each(['on', 'ON', ' On ', 'true', 'TRUE', 'yes', 'Y', '1', 'enabled', 'Enable', '100%', '100.000 %'])(
    '%j is on',
    (value) => {
      expect(ask({ '': value })).toMatchObject({ value: true })
    },
  )

  it.each(['off', 'OFF', 'false', 'no', 'n', '0', 'disabled', '0%', ' 0.0 %'])('%j is off', (value) => {
    expect(ask({ '': value })).toMatchObject({ value: false, variant: 'off' })
  })

  it.each(['', '  '])('%j is not set', (value) => {
    expect(ask({ '': value })).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
  })

  it('draws a percentage of users by the same hash as every source', () => {
    const source = envFlags({ env: named({ '': '10%' }) })
    const enrolled = Array.from({ length: 1000 }, (_, index) => `user-${index}`).filter(
      (targetingKey) => source.getBooleanDetails('use_streaming', false, { targetingKey }).value,
    )
    expect(enrolled.length).toBeGreaterThan(50)
    expect(enrolled.length).toBeLessThan(150)
    expect(source.describe().flags).toEqual([
      { key: 'use_streaming', rule: 'on for 10% by targetingKey (murmur3-32/1, salt "use_streaming"); else off' },
    ])
  })

  it.each(['10', '101%', '-1%', '10 percent', '0.0001%', 'onn', '%', 'oui', 'null', '__proto__', 'toString', '1e1%'])(
    '%j is off, and an error at startup',
    async (value) => {
      const source = envFlags({ env: named({ '': value }) })
      expect(source.getBooleanDetails('use_streaming', true, { targetingKey: 'u' })).toMatchObject({ value: false })
      expect(source.describe()).toMatchObject({
        problem: { code: 'invalid', issues: [{ path: '$.MILLRACE_STREAMING' }] },
      })
      const error: unknown = await source.ready().catch((reason: unknown) => reason)
      expect(isFlagFormatError(error)).toBe(true)
    },
  )

  it('never repeats a value that it cannot read', async () => {
    const source = envFlags({ env: named({ '': 'sk-ant-secret', _KILL: 'sk-ant-secret', _TOOLS: 'sk ant secret' }) })
    const error: unknown = await source.ready().catch((reason: unknown) => reason)
    expect(`${String(error)}${JSON.stringify(source.describe())}`).not.toMatch(/secret/)
  })
})

describe('internal users', () => {
  const list = '@Corp.example, u123 ,ada@home.example,'
  it.each([
    [{ email: 'bob@corp.example' }, true],
    [{ targetingKey: 'bob@CORP.example' }, true],
    [{ targetingKey: 'u123' }, true],
    [{ targetingKey: 'u9', email: 'ada@home.example' }, true],
    [{ targetingKey: 'ada@home.example' }, true],
    [{ targetingKey: 'u1234' }, false],
    [{ email: 'bob@notcorp.example' }, false],
  ])('with the context %j stream: %s', (context, value) => {
    expect(ask({ _INTERNAL: list }, 'use_streaming', context)).toMatchObject({ value })
    expect(ask({ _INTERNAL: list, '': '0%' }, 'use_streaming', context)).toMatchObject({ value })
  })

  it('are off if streaming is off for all', () => {
    expect(ask({ _INTERNAL: list, '': 'off' }, 'use_streaming', { targetingKey: 'u123' })).toMatchObject({
      value: false,
    })
    expect(ask({ _INTERNAL: list, '': 'nonsense' }, 'use_streaming', { targetingKey: 'u123' })).toMatchObject({
      value: false,
    })
  })

  it.each(['@', 'u1 u2', 'ada@'])('are none if the list is %j', (garbage) => {
    expect(ask({ _INTERNAL: garbage }, 'use_streaming', { targetingKey: 'u1' })).toMatchObject({
      errorCode: 'FLAG_NOT_FOUND',
    })
    expect(envFlags({ env: named({ _INTERNAL: garbage }) }).describe()).toHaveProperty('problem')
  })
})

describe('tools', () => {
  const tools = (_TOOLS: string) =>
    ['web_search', 'bash', 'other'].map((tool) => ask({ _TOOLS }, `use_streaming.tool.${tool}`).value)

  it.each([
    ['web_search', [true, false, false]],
    ['web_search,!bash', [true, false, false]],
    ['!bash', [true, false, true]],
    [' ! bash , !other ', [true, false, false]],
    ['*', [true, true, true]],
    ['all', [true, true, true]],
    ['None', [false, false, false]],
    ['off', [false, false, false]],
    ['bash,!bash', [false, false, false]],
    ['web search', [false, false, false]],
    ['bash;web_search', [false, false, false]],
  ])('stream by the list %j', (list, expected) => {
    expect(tools(list)).toEqual(expected)
  })
})

describe('the kill switch', () => {
  it.each([
    ['1', true],
    ['on', true],
    ['kill', true],
    ['?', true],
    ['0', false],
    ['OFF', false],
  ])('is on with %j: %s', (value, killed) => {
    expect(ask({ _KILL: value }, 'use_streaming.kill')).toMatchObject({ value: killed })
  })

  it('is left to other sources if it is not set', () => {
    expect(ask({ '': 'on' }, 'use_streaming.kill')).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
  })
})

describe('names', () => {
  it('are warned about if they have the prefix and are unknown', async () => {
    const source = envFlags({
      env: { MILLRACE_STREAMING_TOOL: 'bash', MILLRACE_STREAMINGX: '1', MILLRACE_STREAMING: 'on' },
    })
    await source.ready()
    expect(source.describe().warnings).toMatchObject([
      {
        severity: 'warning',
        path: '$.MILLRACE_STREAMING_TOOL',
        message: expect.stringContaining('MILLRACE_STREAMING_TOOLS'),
      },
    ])
  })

  it('may have another prefix', () => {
    const source = envFlags({
      env: { CHAT: 'on', CHAT_KILL: '1', MILLRACE_STREAMING: 'off' },
      prefix: 'CHAT',
      name: 'chat',
    })
    expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
    expect(source.getBooleanDetails('use_streaming.kill', false)).toMatchObject({ value: true })
    expect(source.describe().name).toBe('chat')
  })
})

describe('the environment', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('is read once from the process', () => {
    vi.stubEnv('MILLRACE_STREAMING', 'on')
    const source = envFlags()
    vi.stubEnv('MILLRACE_STREAMING', 'off')
    expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
    expect(envFlags().getBooleanDetails('use_streaming', true)).toMatchObject({ value: false })
  })
})

it('never throws, and never turns streaming on by what it cannot read', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 })
  const understood = /^\s*(?:on|true|yes|y|1|enabled?|\d{1,3}(?:\.\d{1,3})?\s*%)\s*$/i
  fc.assert(
    fc.property(fc.record({ '': text, _KILL: text, _TOOLS: text, _INTERNAL: text }), (env) => {
      const on = ask({ ...env, _INTERNAL: '' }, 'use_streaming', { targetingKey: 'u' }).value
      expect(!on || understood.test(env[''])).toBe(true)
      for (const key of ['use_streaming', 'use_streaming.kill', 'use_streaming.tool.bash']) ask(env, key)
    }),
    { numRuns: 500 },
  )
})

describe('as an OpenFeature provider', () => {
  afterEach(() => OpenFeature.close())

  it('answers the SDK', async () => {
    await OpenFeature.setProviderAndWait('env', envProvider({ env: named({ '': 'on' }) }))
    expect(await OpenFeature.getClient('env').getBooleanDetails('use_streaming', false)).toMatchObject({ value: true })
  })

  it('is in error if it cannot read a variable, and does not stream', async () => {
    const setting = OpenFeature.setProviderAndWait('env', envProvider({ env: named({ '': 'maybe' }) }))
    await expect(setting).rejects.toThrow('MILLRACE_STREAMING')
    const client = OpenFeature.getClient('env')
    expect(client.providerStatus).toBe('ERROR')
    expect(await client.getBooleanValue('use_streaming', true)).toBe(false)
  })
})
