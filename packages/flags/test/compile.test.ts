import { describe, expect, it } from 'vitest'
import { bucketOf } from '../src/bucket.ts'
import { compileFlags } from '../src/compile.ts'
import type { FlagDocument } from '../src/document.ts'
import { flagdTargeting } from '../src/flagd.ts'
import type { TargetingEngine } from '../src/targeting.ts'
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
    ['excluded though drawn', { targetingKey: inside, plan: 'pro' }, false, 'TARGETING_MATCH'],
    ['excluded though included', { targetingKey: 'boss', plan: 7 }, false, 'TARGETING_MATCH'],
    ['excluded by one of a list', { targetingKey: inside, plan: ['free', true] }, false, 'TARGETING_MATCH'],
    ['not excluded by a value of another type', { targetingKey: inside, plan: '7' }, true, 'SPLIT'],
  ])('decides for a user who is %s', (_, context, value, reason) => {
    expect(resolve(document, context)).toMatchObject({
      status: 'resolved',
      value,
      reason,
      variant: value ? 'on' : 'off',
    })
  })

  it('is an error if the unit is missing', () => {
    for (const context of [{}, { targetingKey: '' }, { email: 'x' }]) {
      expect(resolve(document, context)).toMatchObject({ status: 'error', errorCode: 'TARGETING_KEY_MISSING' })
    }
  })

  it('needs no unit at 0 and at 100 percent', () => {
    expect(resolve(streaming({ percent: 0 }))).toMatchObject({ value: false })
    expect(resolve(streaming({ percent: 100 }))).toMatchObject({ value: true })
    expect(resolve(streaming({}))).toMatchObject({ value: false })
  })

  it('counts another attribute, including numbers, but none that is inherited', () => {
    const bySession = streaming({ percent: 50, unit: 'session', bucketing: { salt: 's' } })
    for (const session of [1, 2, 3, 'a', 'b']) {
      expect(resolve(bySession, { session })).toMatchObject({ value: bucketOf('s', String(session)) < 50_000 })
    }
    expect(resolve(streaming({ percent: 50, unit: 'constructor' }), {})).toMatchObject({ status: 'error' })
  })
})

describe('flags', () => {
  it('answers for a tool without a flag by the wildcard, and by nothing else', () => {
    const document = { flags: { 'use_streaming.tool.*': flag({ percent: 100 }), 'use_streaming.tool.bash': flag() } }
    expect(resolve(document, {}, 'use_streaming.tool.search')).toMatchObject({ value: true })
    expect(resolve(document, {}, 'use_streaming.tool.bash')).toMatchObject({ value: false })
    expect(resolve(document, {}, 'use_streaming')).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
    expect(resolve(streaming(), {}, 'use_streaming.tool.bash')).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
  })

  it.each(['__proto__', 'constructor', 'toString', 'flags', ''])('has no flag %j', (key) => {
    expect(resolve(everything, {}, key)).toMatchObject({ status: 'error', errorCode: 'FLAG_NOT_FOUND' })
  })

  it('leaves a disabled flag, and one without default, to the code', () => {
    expect(resolve(streaming({ percent: 100 }, { state: 'DISABLED' }))).toEqual({
      status: 'default',
      reason: 'DISABLED',
    })
    expect(resolve(streaming(undefined, { defaultVariant: null }))).toEqual({ status: 'default', reason: 'DEFAULT' })
  })

  it('merges the metadata of the set and the flag, and prefers the flag', () => {
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
      { key: 'use_streaming.tool.bash', rule: 'disabled: left to the next source, or to the code' },
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

  it('is evaluated before the rollout, which decides if the rule gives null', () => {
    const set = ruled({ if: [{ '==': [{ var: 'tier' }, 'free'] }, 'off', null] })
    expect(set.issues).toEqual([])
    expect(set.resolve('use_streaming', { tier: 'free' })).toMatchObject({ value: false, reason: 'TARGETING_MATCH' })
    expect(set.resolve('use_streaming', { tier: 'paid' })).toMatchObject({ value: true, reason: 'SPLIT' })
    expect(set.resolve('use_streaming', { tier: 'paid', targetingKey: 'x' })).toMatchObject({ value: false })
  })

  it('is an error without an engine, and is warned about', () => {
    const set = compileFlags(streaming(undefined, { targeting: { if: [true, 'on', 'off'] } }))
    expect(set.resolve('use_streaming')).toMatchObject({ status: 'error', errorCode: 'GENERAL' })
    expect(set.issues).toMatchObject([{ severity: 'warning', path: '$.flags.use_streaming.targeting' }])
  })

  it('does not count if it is empty', () => {
    expect(compileFlags(streaming(undefined, { targeting: {} })).resolve('use_streaming')).toMatchObject({
      value: false,
    })
  })

  it('replaces references in any order, and leaves their text unchanged', () => {
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
})

describe('an invalid flag', () => {
  const invalid = new Map([
    ['theme', 1],
    ['use_streaming.tool.bash', 1],
  ])
  const document = { flags: { 'use_streaming.tool.*': flag({ percent: 100 }), other: flag() } }
  const set = compileFlags(document, { invalid })

  it('evaluates to an error, and no other flag does', () => {
    expect(set.resolve('theme')).toEqual({
      status: 'error',
      errorCode: 'PARSE_ERROR',
      errorMessage: 'flag "theme" is invalid',
    })
    expect(set.resolve('other')).toMatchObject({ value: false })
  })

  it('is not answered for by the wildcard of its tool', () => {
    expect(set.resolve('use_streaming.tool.bash')).toMatchObject({ errorCode: 'PARSE_ERROR' })
    expect(set.resolve('use_streaming.tool.search')).toMatchObject({ value: true })
    expect(set.keyFor('use_streaming.tool.bash')).toBe('use_streaming.tool.bash')
  })

  it('is described', () => {
    expect(set.describe()).toContainEqual({ key: 'theme', rule: 'invalid: evaluates to an error' })
    expect([...set.invalid]).toEqual([...invalid.keys()])
  })
})

it('survives an engine that throws: only the flags that need it are invalid', () => {
  const targeting: TargetingEngine = {
    compile() {
      throw new Error('engine')
    },
  }
  const document = { flags: { plain: flag(), ruled: flag(undefined, { targeting: { if: [true, 'on'] } }) } }
  const set = compileFlags(document, { targeting })
  expect(set.resolve('plain')).toMatchObject({ value: false })
  expect(set.resolve('ruled')).toMatchObject({ errorCode: 'PARSE_ERROR' })
})

describe('a kill switch that cannot be evaluated', () => {
  const kill = 'use_streaming.kill'

  it.each<[string, Partial<FlagDocument['flags'][string]>]>([
    ['has no boolean variants', { variants: { on: 'on', off: 'off' } }],
    ['has a rule that names no variant', { targeting: { if: [true, 'blue'] } }],
    ['has a rule with an unknown operator', { targeting: { unheard_of: [] } }],
    ['has a rule with a dangling reference', { targeting: { $ref: 'nobody' } }],
    ['counts a percentage without a key', { rollout: { percent: 50 } }],
  ])('counts as on if it %s', (_, rest) => {
    const set = compileFlags(
      { flags: { [kill]: flag(undefined, rest), other: flag() } },
      { targeting: flagdTargeting() },
    )
    expect(set.resolve(kill)).toEqual({ status: 'resolved', value: true, reason: 'STATIC', variant: 'invalid' })
    expect(set.resolve('other')).toMatchObject({ value: false })
  })

  it('counts as on if it could not be read, or if nothing evaluates its rule', () => {
    expect(compileFlags({ flags: {} }, { invalid: new Map([[kill, 1]]) }).resolve(kill)).toMatchObject({ value: true })
    const ruled = { flags: { [kill]: flag(undefined, { targeting: { if: [false, 'on', 'off'] } }) } }
    expect(compileFlags(ruled).resolve(kill)).toMatchObject({ value: true })
  })

  it('does not count if it is missing, off, disabled, or left to the code', () => {
    const none = { state: 'ENABLED', variants: { on: true, off: false } } as const
    expect(compileFlags({ flags: {} }).resolve(kill)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' })
    expect(compileFlags({ flags: { [kill]: flag() } }).resolve(kill)).toMatchObject({ value: false })
    expect(compileFlags({ flags: { [kill]: { ...none, state: 'DISABLED' } } }).resolve(kill)).toMatchObject({
      status: 'default',
    })
    expect(compileFlags({ flags: { [kill]: none } }).resolve(kill)).toMatchObject({ status: 'default' })
  })
})
