import { MillraceError } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'
import { describe, expect, it } from 'vitest'
import { backgroundClock } from '../src/background-clock.ts'
import { changeFlag } from '../src/change-flag.ts'
import { changeStateFlags } from '../src/change-state-flags.ts'
import { combineFlags } from '../src/combine-flags.ts'
import { compileFlags } from '../src/compile.ts'
import { fixedFlags } from '../src/fixed-flags.ts'
import { createFlagHolder } from '../src/flag-holder.ts'
import { flagdTargeting } from '../src/flagd.ts'
import { createProvider } from '../src/openfeature.ts'
import { pinFlags } from '../src/pin-flags.ts'
import { readFlagDocument } from '../src/read-document.ts'
import { stateFlags } from '../src/state-flags.ts'
import { readFlagText } from '../src/text.ts'
import { streaming } from './support/documents.ts'

const store = memoryStateStore()
const source = fixedFlags(streaming())

/** What a factory does with options that did not pass a compiler. */
type Factory = (options: unknown) => unknown

function factory(make: (options: never) => unknown): Factory {
  return (options) => Reflect.apply(make, undefined, [options])
}

type Kind = 'text' | 'boolean' | 'delay' | 'age' | 'count' | 'function' | 'methods' | 'list' | 'record' | 'choice'

const wrong: Readonly<Record<Kind, readonly unknown[]>> = {
  text: [null, 1, '', true, [], {}],
  boolean: [null, 0, 1, 'true', {}],
  delay: [null, 0, -1, Number.NaN, Infinity, 2 ** 31, '5', true, {}],
  age: [null, 0, -1, Number.NaN, -Infinity, '5', {}],
  count: [null, 0, -1, 1.5, Number.NaN, Infinity, '5', {}],
  function: [null, 1, 'f', {}],
  methods: [null, 1, 'x', {}, () => {}, { now: 1 }],
  list: [null, 1, 'x', {}, new Set()],
  record: [null, 1, 'x', [], new Map()],
  choice: [null, 1, '', 'other', 'JSON', []],
}

interface Table {
  readonly name: string
  readonly make: Factory
  /** Options that are needed, and right. */
  readonly base: object
  readonly options: Readonly<Record<string, Kind>>
  /** What stands before the options in paths. */
  readonly at?: string
}

const tables: readonly Table[] = [
  {
    name: 'fixedFlags',
    make: (options) => factory((given: object) => fixedFlags(streaming(), given))(options),
    base: {},
    options: { name: 'text', targeting: 'methods' },
  },
  {
    name: 'compileFlags',
    make: (options) => factory((given: object) => compileFlags(streaming(), given))(options),
    base: {},
    options: { targeting: 'methods', invalid: 'methods' },
  },
  {
    name: 'flagdTargeting',
    make: factory(flagdTargeting),
    base: {},
    options: { disableDynamicCodeGeneration: 'boolean' },
  },
  {
    name: 'createFlagHolder',
    make: factory(createFlagHolder),
    base: { name: 'held', clock: backgroundClock, maxAge: 1000 },
    options: { name: 'text', clock: 'methods', maxAge: 'age', targeting: 'methods', stop: 'function' },
  },
  {
    name: 'stateFlags',
    make: factory(stateFlags),
    base: { store },
    options: {
      store: 'methods',
      key: 'text',
      name: 'text',
      poll: 'delay',
      timeout: 'delay',
      maxAge: 'age',
      targeting: 'methods',
      clock: 'methods',
    },
  },
  {
    name: 'combineFlags',
    make: factory(combineFlags),
    base: { sources: [source] },
    options: { sources: 'list', overrides: 'record', timeout: 'delay', clock: 'methods' },
  },
  {
    name: 'pinFlags',
    make: (options) => factory((given: object) => pinFlags(source, given))(options),
    base: {},
    options: { pinTo: 'function', capacity: 'count', ttl: 'age', clock: 'methods' },
  },
  {
    name: 'readFlagText',
    make: (options) => factory((given: { format: 'json' }) => readFlagText('{}', given))(options),
    base: { format: 'json' },
    options: { format: 'choice', maxLength: 'count' },
  },
  {
    name: 'changeFlag',
    make: (options) => factory((given: object) => changeFlag(streaming(), 'use_streaming', given))(options),
    base: {},
    options: { serve: 'choice', unit: 'text', salt: 'text', include: 'list', exclude: 'list' },
    at: 'change',
  },
]

function errorOf(make: () => unknown): MillraceError {
  try {
    make()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe.each(tables)('$name', ({ make, base, options, at }) => {
  const pathOf = (key: string): string => (at === undefined ? key : `${at}.${key}`)

  it('accepts options that are right, undefined or left out', () => {
    const unsaid = Object.fromEntries(Object.keys(options).map((key) => [key, undefined]))
    expect(() => make(base)).not.toThrow()
    expect(() => make({ ...unsaid, ...base })).not.toThrow()
  })

  it.each(Object.entries(options))('refuses a wrong %s', (key, kind) => {
    for (const value of wrong[kind]) {
      const error = errorOf(() => make({ ...base, [key]: value }))
      expect(error).toMatchObject({ code: 'invalid_option', path: pathOf(key) })
      expect(error.message).toMatch(new RegExp(`^${pathOf(key)} must be .+$`))
    }
  })

  it('names the option that was meant', () => {
    for (const key of Object.keys(options)) {
      const slips = [`${key}s`, key.slice(1), `${key[1] ?? ''}${key[0] ?? ''}${key.slice(2)}`, key.toUpperCase()]
      for (const slip of slips.filter((name) => name !== '' && !(name in options))) {
        const error = errorOf(() => make({ ...base, [slip]: undefined }))
        expect(error).toMatchObject({ code: 'unknown_option', path: pathOf(slip) })
        expect(error.message).toMatch(/^unknown option "[\w.]+"; did you mean "\w+"\?$/)
      }
    }
    for (const key of ['constructor', '__proto__x', 'zzzzzz', 'x'.repeat(10_000)]) {
      const error = errorOf(() => make({ ...base, [key]: 1 }))
      expect(error).toMatchObject({ code: 'unknown_option' })
      expect(error.message).toContain('; expected one of ')
      for (const known of Object.keys(options)) expect(error.message).toContain(known)
    }
  })

  it.each([[null], [1], ['x'], [[]]])('refuses %j as options', (given) => {
    expect(errorOf(() => make(given))).toMatchObject({ code: 'invalid_option', path: at ?? 'options' })
  })

  it('requires the options that have no default', () => {
    for (const key of Object.keys(base)) {
      expect(errorOf(() => make({ ...base, [key]: undefined }))).toMatchObject({
        code: 'invalid_option',
        path: pathOf(key),
        message: expect.stringContaining(`${pathOf(key)} must be `),
      })
    }
  })
})

it('names the member of a list or record that is wrong', () => {
  const make = factory(combineFlags)
  expect(errorOf(() => make({ sources: [source, {}] })).path).toBe('sources[1]')
  expect(errorOf(() => make({ sources: [source], overrides: { use_streaming: 'on' } }))).toMatchObject({
    path: 'overrides.use_streaming',
    message: 'overrides.use_streaming must be true or false',
  })
  for (const percent of [Number.NaN, Infinity, '10', null]) {
    const change = factory((given: object) => changeFlag(streaming(), 'use_streaming', given))
    expect(errorOf(() => change({ percent }))).toMatchObject({ path: 'change.percent' })
  }
})

it('refuses what is not a client or source', () => {
  for (const given of [undefined, null, {}, 'flags']) {
    expect(errorOf(() => factory(pinFlags)(given)).path).toBe('client')
    expect(errorOf(() => factory(createProvider)(given)).path).toBe('source')
  }
})

it.each([
  ['store', { by: 'ada' }],
  ['store', { by: 'ada', store: {} }],
  ['by', { store }],
  ['by', { store, by: '' }],
  ['key', { store, by: 'ada', key: 1 }],
  ['reason', { store, by: 'ada', reason: {} }],
  ['signal', { store, by: 'ada', signal: 'now' }],
  ['clock', { store, by: 'ada', clock: Date }],
  ['because', { store, by: 'ada', because: 'x' }],
])('changeStateFlags refuses a wrong %s, and changes nothing', async (path, options) => {
  const change = factory((given: Parameters<typeof changeStateFlags>[0]) => changeStateFlags(given, (before) => before))
  await expect(change(options)).rejects.toMatchObject({ path })
  expect(await store.get('millrace:flags')).toBeUndefined()
})

it('names the key of a document that was meant', () => {
  const read = readFlagDocument({ flags: { a: { state: 'ENABLED', variants: { on: true }, rolout: {} } } })
  expect(read.issues).toMatchObject([
    { path: '$.flags.a.rolout', message: expect.stringContaining('did you mean "rollout"?') },
  ])
})

it.each([
  ['use_streming', true],
  ['Use_Streaming', true],
  ['use_streaming.kil', true],
  ['use_streaming.tools.bash', true],
  ['use_streaming.tool.', true],
  ['use_streaming', false],
  ['use_streaming.kill', false],
  ['use_streaming.tool.bash', false],
  ['use_streaming.tool.*', false],
  ['theme', false],
  ['beta_checkout', false],
])('warns about the flag %s: %s', (key, warned) => {
  const { issues } = readFlagDocument({ flags: { [key]: streaming().flags['use_streaming'] } })
  expect(issues.map(({ severity, at }) => [severity, at])).toEqual(warned ? [['warning', ['flags', key]]] : [])
})

it('warns about a flag of Millrace that is not boolean', () => {
  const text = { state: 'ENABLED', variants: { on: 'true', off: 'false' }, defaultVariant: 'on' }
  for (const key of ['use_streaming', 'use_streaming.kill', 'use_streaming.tool.bash']) {
    expect(readFlagDocument({ flags: { [key]: text } })).toMatchObject({
      status: 'read',
      issues: [{ severity: 'warning', path: expect.stringMatching(/\.variants$/) }],
    })
  }
  expect(readFlagDocument({ flags: { theme: text } }).issues).toEqual([])
})
