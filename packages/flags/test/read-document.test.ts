import { isRecord } from '@millrace/core/kit'
import { MemoryStorage } from '@openfeature/flagd-core'
import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { hasErrors } from '../src/issues.ts'
import { readFlagDocument } from '../src/read-document.ts'
import { everything, flag } from './support/documents.ts'

const schema: unknown = JSON.parse(readFileSync(new URL('../schema.json', import.meta.url), 'utf8'))
const bySchema = new Ajv({ allErrors: true, allowUnionTypes: true, multipleOfPrecision: 6 }).compile(
  isRecord(schema) ? schema : false,
)

const silent = { error() {}, warn() {}, info() {}, debug() {} }

function withFlag(change: Record<string, unknown>): unknown {
  return { flags: { a: { ...flag({ percent: 5 }), ...change } }, $segments: { s: {} } }
}

/** What is refused, where, and whether JSON Schema can say so too: it cannot compare one place with another. */
const refused: readonly (readonly [
  what: string,
  input: unknown,
  path: string,
  schema: 'in schema' | 'beyond schema',
])[] = [
  ['a root that is not an object', [], '$', 'in schema'],
  ['null', null, '$', 'in schema'],
  ['no flags', {}, '$.flags', 'in schema'],
  ['flags of a wrong type', { flags: 3 }, '$.flags', 'in schema'],
  ['another format', { $format: 'millrace-flags/2', flags: {} }, "$['$format']", 'in schema'],
  ['an empty key', { flags: { '': flag() } }, '$.flags', 'in schema'],
  ['a flag of a wrong type', { flags: { a: true } }, '$.flags.a', 'in schema'],
  ['no state', withFlag({ state: undefined }), '$.flags.a.state', 'in schema'],
  ['a misspelt state', withFlag({ state: 'enabled' }), '$.flags.a.state', 'in schema'],
  ['no variants', withFlag({ variants: undefined }), '$.flags.a.variants', 'in schema'],
  ['empty variants', withFlag({ variants: {} }), '$.flags.a.variants', 'in schema'],
  ['mixed variants', withFlag({ variants: { on: true, off: 'no' } }), '$.flags.a.variants', 'in schema'],
  ['a null variant', withFlag({ variants: { on: true, off: null } }), '$.flags.a.variants.off', 'in schema'],
  ['a list variant', withFlag({ variants: { on: true, off: [] } }), '$.flags.a.variants.off', 'in schema'],
  ['an unknown default', withFlag({ defaultVariant: 'of' }), '$.flags.a.defaultVariant', 'beyond schema'],
  ['an inherited default', withFlag({ defaultVariant: 'toString' }), '$.flags.a.defaultVariant', 'beyond schema'],
  ['a boolean default', withFlag({ defaultVariant: true }), '$.flags.a.defaultVariant', 'in schema'],
  ['a list as targeting', withFlag({ targeting: [] }), '$.flags.a.targeting', 'in schema'],
  ['nested metadata', withFlag({ metadata: { a: {} } }), '$.flags.a.metadata.a', 'in schema'],
  ['a rollout of a wrong type', withFlag({ rollout: 10 }), '$.flags.a.rollout', 'in schema'],
  ['a misspelt percent', withFlag({ rollout: { percentage: 10 } }), '$.flags.a.rollout.percentage', 'in schema'],
  ['percent as text', withFlag({ rollout: { percent: '10' } }), '$.flags.a.rollout.percent', 'in schema'],
  ['percent as a share with a sign', withFlag({ rollout: { percent: -1 } }), '$.flags.a.rollout.percent', 'in schema'],
  ['percent over 100', withFlag({ rollout: { percent: 100.5 } }), '$.flags.a.rollout.percent', 'in schema'],
  ['percent finer than a bucket', withFlag({ rollout: { percent: 0.0001 } }), '$.flags.a.rollout.percent', 'in schema'],
  [
    'percent that is not a number',
    withFlag({ rollout: { percent: Number.NaN } }),
    '$.flags.a.rollout.percent',
    'in schema',
  ],
  [
    'another hash',
    withFlag({ rollout: { bucketing: { algo: 'murmur3-32/2' } } }),
    '$.flags.a.rollout.bucketing.algo',
    'in schema',
  ],
  [
    'an empty salt',
    withFlag({ rollout: { bucketing: { salt: '' } } }),
    '$.flags.a.rollout.bucketing.salt',
    'in schema',
  ],
  [
    'an unknown segment',
    withFlag({ rollout: { include: ['s', 'x'] } }),
    '$.flags.a.rollout.include[1]',
    'beyond schema',
  ],
  ['an unknown exclusion', withFlag({ rollout: { exclude: ['x'] } }), '$.flags.a.rollout.exclude[0]', 'beyond schema'],
  ['one segment as text', withFlag({ rollout: { include: 's' } }), '$.flags.a.rollout.include', 'in schema'],
  ['an unknown variant', withFlag({ rollout: { variant: 'x' } }), '$.flags.a.rollout.variant', 'beyond schema'],
  [
    'a rollout that cannot tell its variant',
    withFlag({ variants: { on: 'a', off: 'b' } }),
    '$.flags.a.rollout',
    'beyond schema',
  ],
  ['a segment of a wrong type', { flags: {}, $segments: { s: [] } }, '$.$segments.s', 'in schema'],
  ['a misspelt list', { flags: {}, $segments: { s: { users: [] } } }, '$.$segments.s.users', 'in schema'],
  [
    'a domain with @',
    { flags: {}, $segments: { s: { emailDomains: ['@a.b'] } } },
    '$.$segments.s.emailDomains[0]',
    'in schema',
  ],
  [
    'an attribute as text',
    { flags: {}, $segments: { s: { attributes: { a: 'x' } } } },
    '$.$segments.s.attributes.a',
    'in schema',
  ],
  [
    'an attribute of null',
    { flags: {}, $segments: { s: { attributes: { a: [null] } } } },
    '$.$segments.s.attributes.a[0]',
    'in schema',
  ],
  ['a list member without key', { flags: [flag()] }, '$.flags[0].key', 'in schema'],
  [
    'a list member twice',
    {
      flags: [
        { key: 'a', ...flag() },
        { key: 'a', ...flag() },
      ],
    },
    '$.flags[1].key',
    'beyond schema',
  ],
]

describe('a document', () => {
  it.each(refused)('is refused because of %s', (_, input, path, where) => {
    const result = readFlagDocument(input)
    expect(result.status).toBe('refused')
    expect(result.issues.filter(({ severity }) => severity === 'error').map((issue) => issue.path)).toContain(
      path.replace("$['$format']", '$.$format'),
    )
    // What only we can refuse, JSON Schema lets pass.
    expect(bySchema(input)).toBe(where === 'beyond schema')
  })
})

describe('a document', () => {
  it('may have everything that the format has, also by its JSON Schema and by flagd', () => {
    const result = readFlagDocument(everything)
    expect(result).toMatchObject({ status: 'read', issues: [] })
    expect(result).toHaveProperty('document', everything)
    expect(bySchema(everything)).toBe(true)
    new MemoryStorage(silent).setConfigurations(JSON.stringify(everything), true)
  })

  it('may have its flags in a list, as in flagd', () => {
    const { flags, ...rest } = everything
    const listed = { ...rest, flags: Object.entries(flags).map(([key, definition]) => ({ key, ...definition })) }
    expect(readFlagDocument(listed)).toHaveProperty('document', everything)
    expect(bySchema(listed)).toBe(true)
  })

  it.each([
    ['null', null],
    ['an empty name', ''],
    ['nothing', undefined],
  ])('may have %s as the default variant', (_, defaultVariant) => {
    expect(readFlagDocument(withFlag({ defaultVariant })).status).toBe('read')
  })

  it('may have unknown keys outside rollouts and segments, with a warning', () => {
    const result = readFlagDocument({ ...everything, extra: 1, flags: { a: { ...flag(), rolout: { percent: 5 } } } })
    expect(result.status).toBe('read')
    expect(result.issues.map(({ severity, path }) => [severity, path])).toEqual([
      ['warning', '$.extra'],
      ['warning', '$.flags.a.rolout'],
    ])
  })

  it('may have a rollout that changes nothing, with a warning', () => {
    const result = readFlagDocument(withFlag({ defaultVariant: 'on' }))
    expect(result).toMatchObject({ status: 'read', issues: [{ severity: 'warning', path: '$.flags.a.rollout' }] })
  })
})

describe('an invalid part', () => {
  const good = flag({ percent: 5 })

  it.each<[string, unknown]>([
    ['is no object', 'on'],
    ['has an unknown default variant', { ...good, defaultVariant: 'of' }],
    ['has targeting of a wrong type', { ...good, targeting: ['if'] }],
    ['has mixed variants', { ...good, variants: { on: true, off: 'no' } }],
    ['has a misspelt state', { ...good, state: 'enabled' }],
    ['has a percentage over 100', { ...good, rollout: { percent: 200 } }],
    ['names a segment that does not exist', { ...good, rollout: { exclude: ['nobody'] } }],
    ['names a segment that is invalid', { ...good, rollout: { exclude: ['broken'] } }],
    ['has nested metadata', { ...good, metadata: { owner: {} } }],
  ])('leaves the other flags alone if a flag %s', (_, bad) => {
    const $segments = { staff: { targetingKeys: ['ada'] }, broken: { users: ['ada'] } }
    const sound = { ...good, rollout: { include: ['staff'] } }
    const result = readFlagDocument({ flags: { bad, sound }, $segments })
    expect(result).toMatchObject({
      status: 'read',
      document: { flags: { sound }, $segments: { staff: $segments.staff } },
      invalid: new Map([['bad', bad]]),
    })
    expect(result.issues.filter(({ severity }) => severity === 'error').map(({ path }) => path)).toContainEqual(
      expect.stringMatching(/^\$\.flags\.bad/),
    )
  })

  it('leaves the flags alone if it belongs to none of them', () => {
    const read = readFlagDocument({
      flags: { sound: good },
      $segments: { broken: 1, __proto__: null },
      $evaluators: [],
      metadata: { owner: {}, version: 1 },
    })
    expect(read).toMatchObject({ status: 'read', document: { flags: { sound: good }, metadata: { version: 1 } } })
    expect(read.issues.map(({ severity, path }) => [severity, path])).toEqual([
      ['error', '$.$segments.broken'],
      ['error', '$.$evaluators'],
      ['error', '$.metadata.owner'],
    ])
  })

  it('makes both of two list members with one key invalid', () => {
    const read = readFlagDocument({
      flags: [
        { key: 'twice', ...good },
        { key: 'once', ...good },
        { key: 'twice', ...good },
        { key: 'twice', ...good },
        7,
      ],
    })
    expect(read.status === 'read' && [Object.keys(read.document.flags), [...read.invalid.keys()]]).toEqual([
      ['once'],
      ['twice'],
    ])
  })
})

it('refuses a document in which every flag is invalid', () => {
  expect(readFlagDocument({ flags: { a: 1, b: { ...flag(), state: 'on' } } })).toMatchObject({ status: 'refused' })
})

it('reports everything that is wrong at once', () => {
  const result = readFlagDocument({
    flags: { a: { ...flag(), state: 'on' }, 'b.c': { ...flag({ percent: 200 }), defaultVariant: 'x' } },
  })
  expect(result.issues.map(({ path }) => path)).toEqual([
    '$.flags.a.state',
    "$.flags['b.c'].defaultVariant",
    "$.flags['b.c'].rollout.percent",
  ])
})

it('never throws, and reports an error for everything that its JSON Schema refuses', () => {
  const piece = fc.oneof(
    fc.json().map((text): unknown => JSON.parse(text)),
    fc.constantFrom('on', 'ENABLED', 5, true, null),
  )
  const places = ['state', 'variants', 'defaultVariant', 'targeting', 'rollout', 'metadata'] as const
  const mutation = fc.tuple(fc.constantFrom(...places), piece)
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 3 }), fc.option(piece), (mutations, segments) => {
      const input = {
        flags: { a: { ...flag({ percent: 5 }), ...Object.fromEntries(mutations) } },
        ...(segments !== null && { $segments: segments }),
      }
      const result = readFlagDocument(input)
      expect(hasErrors(result.issues) || bySchema(input)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

it('refuses JSON that is nested too deeply, without exhausting the stack', () => {
  let deep: unknown = 'x'
  for (let level = 0; level < 100_000; level++) deep = [deep]
  expect(readFlagDocument(withFlag({ targeting: { a: deep } }))).toMatchObject({
    status: 'refused',
    issues: [{ path: '$.flags.a.targeting.a' }],
  })
})
