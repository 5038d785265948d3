import { describe, expect, it } from 'vitest'
import { ofrepFlags, remoteFlagFile } from '../src/index.ts'
import { diskCache } from '../src/node.ts'
import { ofrepProvider, remoteFileProvider } from '../src/openfeature.ts'

type Wrong = readonly (readonly [option: string, values: readonly unknown[]])[]

const delays = [null, 0, -1, Number.NaN, Infinity, 2 ** 31, '5', {}]
const counts = [null, 0, -1, 1.5, Number.NaN, Infinity, '5', {}]
const texts = [null, 1, '', {}]
const functions = [null, 1, 'secret', {}]
const addresses = [undefined, null, 1, '', 'secret', '/flags', 'file:///secret', 'http://user:secret@127.0.0.1/', {}]

const ofBoth: Wrong = [
  ['headers', [null, 1, 'secret', ['secret'], new Headers({ authorization: 'secret' }), new Map([['a', 'secret']])]],
  ['name', texts],
  ['poll', delays],
  ['timeout', delays],
  ['maxAge', [null, 0, -1, Number.NaN, '5', {}]],
  ['maxBytes', counts],
  ['lastKnownGood', [null, 1, '/secret', {}, { load() {} }, diskCache]],
  ['fetch', functions],
  ['clock', [null, 1, 'x', {}, Date]],
  ['random', functions],
]

const sources: readonly { name: string; factories: readonly unknown[]; base: object; wrong: Wrong }[] = [
  {
    name: 'remoteFlagFile',
    factories: [remoteFlagFile, remoteFileProvider],
    base: { url: 'http://127.0.0.1:1/secret.json' },
    wrong: [
      ['url', addresses],
      ['format', [null, 1, '', 'toml', {}]],
      ['targeting', [null, 1, 'x', {}, () => {}]],
      ...ofBoth,
    ],
  },
  {
    name: 'ofrepFlags',
    factories: [ofrepFlags, ofrepProvider],
    base: { baseUrl: 'http://127.0.0.1:1/secret' },
    wrong: [
      ['baseUrl', addresses],
      ['attributes', [null, 1, 'email', {}, new Set(['email'])]],
      ['context', [null, 1, 'u1', []]],
      ['firstAnswer', delays],
      ['maxContexts', counts],
      ...ofBoth,
    ],
  },
]

describe.each(sources)('$name', ({ factories, base, wrong }) => {
  const make = (options: unknown): (() => unknown)[] =>
    factories.map((factory) => () => (typeof factory === 'function' ? Reflect.apply(factory, undefined, [options]) : 0))

  it.each(wrong)('refuses a wrong %s, and repeats no address or header', (option, values) => {
    for (const value of values) {
      for (const attempt of make({ ...base, [option]: value })) {
        expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_option', path: option }))
        expect(attempt).not.toThrow(/secret/)
      }
    }
  })

  it('names the member that is wrong', () => {
    for (const attempt of make({ ...base, headers: { authorization: ['secret'] } })) {
      expect(attempt).toThrow(expect.objectContaining({ path: 'headers.authorization' }))
    }
    if (!wrong.some(([option]) => option === 'attributes')) return
    for (const attempt of make({ ...base, attributes: ['email', 1] })) {
      expect(attempt).toThrow(expect.objectContaining({ path: 'attributes[1]' }))
    }
  })

  it('names the option that was meant', () => {
    for (const [option, meant] of [
      ['header', 'headers'],
      ['pollInterval', 'poll'],
      ['timeOut', 'timeout'],
      ['lastKnowGood', 'lastKnownGood'],
    ]) {
      for (const attempt of make({ ...base, [option ?? '']: 'secret' })) {
        expect(attempt).toThrow(expect.objectContaining({ code: 'unknown_option', path: option }))
        expect(attempt).toThrow(`unknown option "${option}"; did you mean "${meant}"?`)
      }
    }
    for (const given of [undefined, null, 'http://127.0.0.1', []]) {
      for (const attempt of make(given)) expect(attempt).toThrow(expect.objectContaining({ path: 'options' }))
    }
  })
})

it.each([undefined, null, 1, '', {}])('diskCache refuses %j as a path', (path) => {
  expect(() => Reflect.apply(diskCache, undefined, [path])).toThrow(expect.objectContaining({ path: 'path' }))
})
