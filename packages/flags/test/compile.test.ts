import { describe, expect, it } from 'vitest'
import { bucketOf } from '../src/bucket.ts'
import { compileFlags } from '../src/compile.ts'
import type { FlagDocument } from '../src/document.ts'
import { flagdTargeting } from '../src/flagd.ts'
import { everything, flag, streaming } from './support/documents.ts'

const resolve = (document: FlagDocument, context = {}, key = 'use_streaming') =>
  compileFlags(document).resolve(key, context)

/** Users whose bucket under the flag's key is in, and out, at ten percent. */
const [inside, outside] = [true, false].map((wanted) => {
  for (let index = 0; ; index++) if (bucketOf('use_streaming', `u${index}`) < 10_000 === wanted) return `u${index}`
})

const segments = {
  staff: { targetingKeys: ['boss'], emailDomains: ['Corp.Example'] },
  paying: { attributes: { plan: ['pro', 7, true] } },
}

describe('the order of rules', () => {
  const document: FlagDocument = {
    ...streaming({ percent: 10, include: ['staff'], exclude: ['paying'] }),
    $segments: segments,
  }
  it.each([
    ['drawn', { targetingKey: inside }, true, 'SPLIT'],
    ['not drawn', { targetingKey: outside }, false, 'DEFAULT'],
    ['included by key', { targetingKey: 'boss' }, true, 'TARGETING_MATCH'],
    ['included by domain, in any case', { email: 'Ada@CORP.example' }, true, 'TARGETING_MATCH'],
    ['included by a targetingKey that is an address', { targetingKey: 'ada@corp.example' }, true, 'TARGETING_MATCH'],
    ['not of a domain that ends alike', { targetingKey: outside, email: 'ada@evil-corp.example' }, false, 'DEFAULT'],
    ['not of a subdomain', { targetingKey: outside, email: 'ada@x.corp.example' }, false, 'DEFAULT'],
    ['excluded though drawn', { targetingKey: inside, plan: 'pro' }, false, 'DEFAULT'],
    ['excluded though included', { targetingKey: 'boss', plan: 7 }, false, 'DEFAULT'],
    ['excluded by one of a list', { targetingKey: inside, plan: ['free', true] }, false, 'DEFAULT'],
    ['not excluded by a value of another type', { targetingKey: inside, plan: '7' }, true, 'SPLIT'],
  ])('%s', (_, context, value, reason) => {
    expect(resolve(document, context)).toMatchObject({
      status: 'resolved',
      value,
      reason,
      variant: value ? 'on' : 'off',
    })
  })

  it('says that the unit is missing, and gives no guess', () => {
    for (const context of [{}, { targetingKey: '' }, { email: 'x' }]) {
      expect(resolve(document, context)).toMatchObject({ status: 'error', errorCode: 'TARGETING_KEY_MISSING' })
    }
  })

  it('needs no unit at 0 and at 100 percent', () => {
    expect(resolve(streaming({ percent: 0 }))).toMatchObject({ value: false })
    expect(resolve(streaming({ percent: 100 }))).toMatchObject({ value: true })
    expect(resolve(streaming({}))).toMatchObject({ value: false })
  })

  it('counts another attribute, also a number, and never one that is inherited', () => {
    const bySession = streaming({ percent: 50, unit: 'session', bucketing: { salt: 's' } })
    for (const session of [1, 2, 3, 'a', 'b']) {
      expect(resolve(bySession, { session })).toMatchObject({ value: bucketOf('s', String(session)) < 50_000 })
    }
    expect(resolve(streaming({ percent: 50, unit: 'constructor' }), {})).toMatchObject({ status: 'error' })
  })
})

describe('flags', () => {
  it('answers for tools without a flag of their own by the wildcard, and by nothing else', () => {
    const document = { flags: { 'use_streaming.tool.*': flag({ percent: 100 }), 'use_streaming.tool.bash': flag() } }
    expect(resolve(document, {}, 'use_streaming.tool.search')).toMatchObject({ value: true })
    expect(resolve(document, {}, 'use_streaming.tool.bash')).toMatchObject({ value: false })
    expect(resolve(document, {}, 'use_streaming')).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
    expect(resolve(streaming(), {}, 'use_streaming.tool.bash')).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
  })

  it.each(['__proto__', 'constructor', 'toString', 'flags', ''])('knows no flag %j', (key) => {
    expect(resolve(everything, {}, key)).toMatchObject({ status: 'error', errorCode: 'FLAG_NOT_FOUND' })
  })

  it('leaves a disabled flag, and one without default, to the code', () => {
    expect(resolve(streaming({ percent: 100 }, { state: 'DISABLED' }))).toEqual({
      status: 'default',
      reason: 'DISABLED',
    })
    expect(resolve(streaming(undefined, { defaultVariant: null }))).toEqual({ status: 'default', reason: 'DEFAULT' })
  })

  it('gives metadata of the set and the flag, the flag first', () => {
    const document = {
      ...streaming(undefined, { metadata: { owner: 'chat' } }),
      metadata: { owner: 'all', version: '2' },
    }
    expect(resolve(document)).toMatchObject({ metadata: { owner: 'chat', version: '2' } })
  })

  it('describes itself in words', () => {
    expect(compileFlags(everything).describe()).toEqual([
      {
        key: 'use_streaming',
        rule: 'never for fragile; on for internal; on for 12.5% by targetingKey (murmur3-32/1, salt "spring"); else off',
      },
      { key: 'use_streaming.tool.*', rule: 'on for all; else off' },
      { key: 'use_streaming.tool.bash', rule: 'disabled: counts as absent' },
      { key: 'use_streaming.kill', rule: 'off' },
      { key: 'theme', rule: "by its targeting rule; else the code's default" },
      { key: 'limit', rule: 'low' },
      { key: 'layout', rule: 'wide' },
    ])
  })
})

describe('targeting', () => {
  const ruled = (
    targeting: NonNullable<FlagDocument['flags'][string]['targeting']>,
    rest: Partial<FlagDocument> = {},
  ) =>
    compileFlags(
      {
        ...streaming({ percent: 100, exclude: ['out'] }, { targeting }),
        $segments: { out: { targetingKeys: ['x'] } },
        ...rest,
      },
      { targeting: flagdTargeting() },
    )

  it('goes before the rollout, and leaves it what it has no opinion of', () => {
    const set = ruled({ if: [{ '==': [{ var: 'tier' }, 'free'] }, 'off', null] })
    expect(set.issues).toEqual([])
    expect(set.resolve('use_streaming', { tier: 'free' })).toMatchObject({ value: false, reason: 'TARGETING_MATCH' })
    expect(set.resolve('use_streaming', { tier: 'paid' })).toMatchObject({ value: true, reason: 'SPLIT' })
    expect(set.resolve('use_streaming', { tier: 'paid', targetingKey: 'x' })).toMatchObject({ value: false })
  })

  it('is an error without an engine, and a warning', () => {
    const set = compileFlags(streaming(undefined, { targeting: { if: [true, 'on', 'off'] } }))
    expect(set.resolve('use_streaming')).toMatchObject({ status: 'error', errorCode: 'GENERAL' })
    expect(set.issues).toMatchObject([{ severity: 'warning', path: '$.flags.use_streaming.targeting' }])
  })

  it('is none where it is empty', () => {
    expect(compileFlags(streaming(undefined, { targeting: {} })).resolve('use_streaming')).toMatchObject({
      value: false,
    })
  })

  it('resolves references whatever their order, and leaves what they hold as it is', () => {
    const $evaluators = {
      outer: { and: [{ $ref: 'inner' }, true] },
      inner: { '==': [{ var: 'price' }, 'US$$5'] },
    }
    for (const evaluators of [$evaluators, Object.fromEntries(Object.entries($evaluators).toReversed())]) {
      const set = ruled({ if: [{ $ref: 'outer' }, 'on', 'off'] }, { $evaluators: evaluators })
      expect(set.resolve('use_streaming', { price: 'US$$5' })).toMatchObject({ value: true, reason: 'TARGETING_MATCH' })
      expect(set.resolve('use_streaming', { price: 'US$5' })).toMatchObject({ value: false, reason: 'TARGETING_MATCH' })
    }
  })

  it.each([
    ['an unknown reference', { if: [{ $ref: 'nobody' }, 'on', 'off'] }, 'error'],
    ['a circle of references', { if: [{ $ref: 'a' }, 'on', 'off'] }, 'error'],
    ['an unknown operator', { nope: [1] }, 'warning'],
  ] as const)('reports %s', (_, targeting, severity) => {
    const set = ruled(targeting, { $evaluators: { a: { '!': { $ref: 'b' } }, b: { '!': { $ref: 'a' } } } })
    expect(set.issues).toMatchObject([{ severity, path: '$.flags.use_streaming.targeting' }])
    expect(set.resolve('use_streaming', {})).toMatchObject({ status: 'error' })
  })

  it('is an error where it names no variant', () => {
    expect(ruled({ if: [true, 'blue', 'off'] }).resolve('use_streaming')).toMatchObject({ status: 'error' })
  })
})
