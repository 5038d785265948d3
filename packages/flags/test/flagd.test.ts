import murmurHash3 from 'murmurhash3js'
import { describe, expect, it } from 'vitest'
import { compileFlags, type FlagSet } from '../src/compile.ts'
import type { FlagDefinition, JsonValue } from '../src/document.ts'
import { flagdTargeting } from '../src/flagd.ts'
import { readFlagDocument } from '../src/read-document.ts'

/** A text flag whose variants have their own names as values. */
function ruled(variants: readonly string[], targeting: JsonValue, defaultVariant: string | null = 'none'): unknown {
  const names = [...variants, 'none']
  return {
    state: 'ENABLED',
    variants: Object.fromEntries(names.map((name) => [name, name])),
    defaultVariant,
    targeting,
  }
}

function load(flags: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}): FlagSet {
  const read = readFlagDocument({ flags, ...more })
  if (read.status === 'refused') throw new Error(JSON.stringify(read.issues))
  return compileFlags(read.document, { targeting: flagdTargeting(), invalid: read.invalid })
}

const context = { targetingKey: 'u1', plan: 'gold', version: '2.3.4', count: 7, nested: { name: 'ada' } }

function variantOf(targeting: JsonValue, given: object = {}): unknown {
  const set = load({ a: ruled(['yes', 'no', 'true', 'false'], targeting) })
  const resolution = set.resolve('a', { ...context, ...given })
  return resolution.status === 'resolved' ? [resolution.variant, resolution.reason] : resolution.status
}

const yes = ['yes', 'TARGETING_MATCH']
const no = ['no', 'TARGETING_MATCH']
const byDefault = ['none', 'DEFAULT']
const when = (condition: JsonValue): JsonValue => ({ if: [condition, 'yes', 'no'] })

describe('operators', () => {
  it.each<[string, JsonValue, unknown]>([
    ['starts_with', when({ starts_with: [{ var: 'plan' }, 'go'] }), yes],
    ['starts_with of another text', when({ starts_with: [{ var: 'plan' }, 'ol'] }), no],
    ['ends_with', when({ ends_with: [{ var: 'plan' }, 'ld'] }), yes],
    ['ends_with of another text', when({ ends_with: [{ var: 'plan' }, 'go'] }), no],
    ['sem_ver, equal', when({ sem_ver: [{ var: 'version' }, '=', '2.3.4'] }), yes],
    ['sem_ver, less', when({ sem_ver: [{ var: 'version' }, '<', '2.3.4'] }), no],
    ['sem_ver, a pre-release is less', when({ sem_ver: ['2.3.4-rc.1', '<', { var: 'version' }] }), yes],
    ['sem_ver, the same minor version', when({ sem_ver: [{ var: 'version' }, '~', '2.3.0'] }), yes],
    ['sem_ver, another minor version', when({ sem_ver: [{ var: 'version' }, '~', '2.4.0'] }), no],
    ['sem_ver, the same major version', when({ sem_ver: [{ var: 'version' }, '^', '2'] }), yes],
    ['sem_ver with a v, and with build metadata', when({ sem_ver: ['v2.3.4+7', '=', { var: 'version' }] }), yes],
    ['sem_ver of a number', when({ sem_ver: [{ var: 'count' }, '=', '7.0.0'] }), yes],
    ['the key of the flag', when({ '==': [{ var: '$flagd.flagKey' }, 'a'] }), yes],
    ['the time', when({ '>': [{ var: '$flagd.timestamp' }, 1_700_000_000] }), yes],
    ['the targeting key', when({ '==': [{ var: 'targetingKey' }, 'u1'] }), yes],
    ['a nested attribute', when({ '==': [{ var: 'nested.name' }, 'ada'] }), yes],
    ['a boolean as the name of a variant', { '==': [1, 1] }, ['true', 'TARGETING_MATCH']],
    ['null, which leaves it to the default', { if: [true, null, 'yes'] }, byDefault],
    ['no branch, which leaves it to the default', { if: [false, 'yes'] }, byDefault],
  ])('evaluates %s', (_, targeting, expected) => {
    expect(variantOf(targeting)).toEqual(expected)
  })

  it.each<[string, JsonValue]>([
    ['starts_with of a number', { starts_with: [{ var: 'count' }, '7'] }],
    ['ends_with of a number', { ends_with: [{ var: 'count' }, '7'] }],
    ['starts_with with one operand', { starts_with: ['a'] }],
    ['ends_with with one operand', { ends_with: ['a'] }],
    ['sem_ver of no version', { sem_ver: [{ var: 'plan' }, '=', '1.0.0'] }],
    ['sem_ver with an unknown comparison', { sem_ver: [{ var: 'version' }, '===', '2.3.4'] }],
    ['sem_ver with two operands', { sem_ver: [{ var: 'version' }, '='] }],
    ['fractional without the attribute it counts', { fractional: [{ var: 'missing' }, ['yes', 1], ['no', 1]] }],
    [
      'fractional in which nobody has a share',
      {
        fractional: [
          ['yes', 0],
          ['no', 0],
        ],
      },
    ],
    [
      'fractional with a weight that is no whole number',
      {
        fractional: [
          ['yes', 0.5],
          ['no', 0.5],
        ],
      },
    ],
    [
      'fractional with a weight that is a text',
      {
        fractional: [
          ['yes', '50'],
          ['no', 50],
        ],
      },
    ],
  ])('gives the default variant for %s', (_, targeting) => {
    expect(variantOf(targeting)).toEqual(byDefault)
  })
})

describe('fractional', () => {
  /** flagd's second hash, by an implementation of its own: the bucket is `(hash * total) >> 32`. */
  function expectedOf(text: string, weights: readonly (readonly [string, number])[]): string {
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
    const bucket = Number((BigInt(murmurHash3.x86.hash32(text, 0)) * BigInt(total)) >> 32n)
    let end = 0
    return weights.find(([, weight]) => (end += weight) > bucket)?.[0] ?? 'none'
  }

  const weights = [
    ['red', 10],
    ['green', 30],
    ['blue', 60],
  ] as const
  const users = Array.from({ length: 200 }, (_, index) => `user-${index}`)
  const colours = weights.map(([name]) => name)
  const shares = weights.map(([name, weight]): JsonValue => [name, weight])

  it('draws by the key of the flag and the targeting key', () => {
    const set = load({ draw: ruled(colours, { fractional: shares }) })
    for (const targetingKey of users) {
      expect(set.resolve('draw', { targetingKey })).toMatchObject({
        variant: expectedOf(`draw${targetingKey}`, weights),
        reason: 'TARGETING_MATCH',
      })
    }
  })

  it('draws alike in every flag that names what is hashed', () => {
    const targeting = { fractional: [{ cat: ['shared-', { var: 'user.name' }] }, ...shares] }
    const set = load({ one: ruled(colours, targeting), other: ruled(colours, targeting) })
    for (const name of users) {
      const variant = expectedOf(`shared-${name}`, weights)
      expect(set.resolve('one', { user: { name } })).toMatchObject({ variant })
      expect(set.resolve('other', { user: { name } })).toMatchObject({ variant })
    }
  })

  it('takes a weight that is left out for 1, and one below 0 for 0', () => {
    const set = load({
      even: ruled(['a', 'b'], { fractional: [['a'], ['b']] }),
      all: ruled(['a', 'b'], {
        fractional: [
          ['a', -5],
          ['b', 1],
        ],
      }),
    })
    const even = [
      ['a', 1],
      ['b', 1],
    ] as const
    for (const targetingKey of users) {
      expect(set.resolve('even', { targetingKey })).toMatchObject({ variant: expectedOf(`even${targetingKey}`, even) })
      expect(set.resolve('all', { targetingKey })).toMatchObject({ variant: 'b' })
    }
  })

  it('evaluates expressions as variants and as weights, and works as a condition', () => {
    const isGold = { '==': [{ var: 'plan' }, 'gold'] }
    const set = load({
      variant: ruled(['a', 'b'], { fractional: [[{ if: [isGold, 'a', 'b'] }, 1]] }),
      weight: ruled(['a', 'b'], {
        fractional: [
          ['a', { if: [isGold, 100, 0] }],
          ['b', { if: [isGold, 0, 1] }],
        ],
      }),
      condition: ruled(['a', 'b'], {
        if: [
          {
            fractional: [
              [false, 0],
              [true, 1],
            ],
          },
          'a',
          'b',
        ],
      }),
    })
    expect(set.resolve('variant', context)).toMatchObject({ variant: 'a' })
    expect(set.resolve('weight', context)).toMatchObject({ variant: 'a' })
    expect(set.resolve('weight', { ...context, plan: 'free' })).toMatchObject({ variant: 'b' })
    expect(set.resolve('condition', context)).toMatchObject({ variant: 'a' })
  })
})

describe('references', () => {
  const $evaluators = {
    isGold: { '==': [{ var: 'plan' }, 'gold'] },
    isStaff: { ends_with: [{ var: 'email' }, '@corp.example'] },
    isEither: { or: [{ $ref: 'isGold' }, { $ref: 'isStaff' }] },
    one: { '!': { $ref: 'other' } },
    other: { '!': { $ref: 'one' } },
    wrong: undefined,
  }

  it('replaces them in every flag, also inside each other', () => {
    const set = load(
      { a: ruled(['yes', 'no'], when({ $ref: 'isEither' })), b: ruled(['yes', 'no'], when({ $ref: 'isGold' })) },
      { $evaluators },
    )
    expect(set.resolve('a', { email: 'ada@corp.example' })).toMatchObject({ variant: 'yes' })
    expect(set.resolve('a', { plan: 'free' })).toMatchObject({ variant: 'no' })
    expect(set.resolve('b', { plan: 'gold' })).toMatchObject({ variant: 'yes' })
  })

  it.each<[string, JsonValue, string]>([
    ['nothing', when({ $ref: 'nobody' }), 'refers to "nobody"'],
    ['an inherited name', when({ $ref: 'constructor' }), 'refers to "constructor"'],
    ['a circle', when({ $ref: 'one' }), 'refers to "one", which refers to itself'],
    ['an evaluator that is not JSON', when({ $ref: 'wrong' }), 'refers to "wrong"'],
    ["an operator that is not flagd's", { unheard_of: [1] }, 'has an operator that flagd does not know'],
    ['a reference beside another key', when({ $ref: 'isGold', also: 1 }), 'has an operator that flagd does not know'],
  ])('makes a flag with %s an error, and no other flag', (_, targeting, message) => {
    const set = load(
      { bad: ruled(['yes', 'no'], targeting), good: ruled(['yes', 'no'], when({ $ref: 'isGold' })) },
      { $evaluators },
    )
    expect(set.resolve('good', context)).toMatchObject({ variant: 'yes' })
    expect(set.resolve('bad', context)).toMatchObject({ status: 'error', errorCode: 'PARSE_ERROR' })
    expect([...set.invalid]).toEqual(['bad'])
    expect(set.issues).toMatchObject([
      { severity: 'error', path: '$.flags.bad.targeting', message: expect.stringContaining(message) },
    ])
  })

  it('makes rules that grow beyond reason an error, and not a process that hangs', () => {
    const doubling: Record<string, JsonValue> = { e0: true }
    const chain: Record<string, JsonValue> = { c0: true }
    for (let level = 1; level <= 40; level++) {
      doubling[`e${level}`] = { and: [{ $ref: `e${level - 1}` }, { $ref: `e${level - 1}` }] }
    }
    for (let level = 1; level <= 20_000; level++) chain[`c${level}`] = { '!': { $ref: `c${level - 1}` } }
    const set = load(
      {
        wide: ruled(['yes', 'no'], when({ $ref: 'e40' })),
        deep: ruled(['yes', 'no'], when({ $ref: 'c20000' })),
        good: ruled([], when({ $ref: 'e5' })),
      },
      { $evaluators: { ...doubling, ...chain } },
    )
    expect(set.issues.filter(({ severity }) => severity === 'error')).toMatchObject([
      { path: '$.flags.wide.targeting', message: 'is too large once its references are replaced' },
      { path: '$.flags.deep.targeting', message: 'is too large once its references are replaced' },
    ])
    expect([...set.invalid]).toEqual(['wide', 'deep'])
  })

  it('does not evaluate the rule of a disabled flag', () => {
    const off = { state: 'DISABLED', variants: { a: 1 }, targeting: when({ $ref: 'nobody' }) }
    const set = load({ off, good: ruled(['yes'], true) })
    expect(set.resolve('off')).toEqual({ status: 'default', reason: 'DISABLED' })
  })
})

describe('without a default variant', () => {
  it.each([null, undefined])('leaves it to the code if it is %s', (defaultVariant) => {
    const flag: FlagDefinition = {
      state: 'ENABLED',
      variants: { low: 1, high: 2 },
      ...(defaultVariant === null && { defaultVariant }),
    }
    const set = load({
      plain: flag,
      ruled: { ...flag, targeting: { if: [{ '==': [{ var: 'plan' }, 'gold'] }, 'high'] } },
    })
    expect(set.resolve('plain')).toEqual({ status: 'default', reason: 'DEFAULT' })
    expect(set.resolve('ruled', { plan: 'free' })).toEqual({ status: 'default', reason: 'DEFAULT' })
    expect(set.resolve('ruled', { plan: 'gold' })).toMatchObject({ value: 2, reason: 'TARGETING_MATCH' })
  })

  it('takes null and an empty object for no rule', () => {
    const flag = { state: 'ENABLED', variants: { low: 1 }, defaultVariant: 'low' }
    const set = load({ none: { ...flag, targeting: null }, empty: { ...flag, targeting: {} } })
    for (const key of ['none', 'empty']) expect(set.resolve(key)).toMatchObject({ value: 1, reason: 'STATIC' })
  })
})

it('resolves zero values of every type, and large numbers, as they are', () => {
  const zero = { no: false, text: '', number: 0, object: {}, large: 2 ** 53 - 1, small: 1e-7 }
  const flags = Object.entries(zero).map(([key, value]) => [
    key,
    { state: 'ENABLED', variants: { value }, defaultVariant: 'value' },
  ])
  const set = load(Object.fromEntries(flags))
  for (const [key, value] of Object.entries(zero)) {
    expect(set.resolve(key)).toEqual({ status: 'resolved', value, variant: 'value', reason: 'STATIC' })
  }
})

it('is an error if a rule names no variant', () => {
  const set = load({ a: ruled(['yes'], { if: [true, 'maybe'] }) })
  expect(set.resolve('a')).toMatchObject({ status: 'error', errorCode: 'GENERAL' })
})
