import { expect, it } from 'vitest'
import { fileFlags } from '../src/index.ts'
import { fileProvider } from '../src/openfeature.ts'

/** As JavaScript calls it, or TypeScript that was told not to look. */
function make(options: unknown): unknown[] {
  return [fileFlags, fileProvider].map((factory) => () => Reflect.apply(factory, undefined, [options]))
}

const delays = [null, 0, -1, Number.NaN, Infinity, 2 ** 31, '5', {}]
const texts = [null, 1, '', {}, new URL('file:///etc/flags.json')]

const wrong: readonly (readonly [option: string, values: readonly unknown[]])[] = [
  ['path', [undefined, ...texts]],
  ['format', [null, 1, '', 'toml', 'JSON', {}]],
  ['name', texts],
  ['watch', [null, 0, 1, 'yes', {}]],
  ['poll', delays],
  ['settle', delays],
  ['maxAge', [null, 0, -1, Number.NaN, '5', {}]],
  ['maxBytes', [null, 0, -1, 1.5, Number.NaN, Infinity, '5', {}]],
  ['targeting', [null, 1, 'x', {}, () => {}]],
  ['clock', [null, 1, 'x', {}, Date]],
]

it.each(wrong)('refuses a wrong %s, and does not repeat the path', (option, values) => {
  for (const value of values) {
    for (const attempt of make({ path: '/nowhere/secret.json', [option]: value })) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_option', path: option }))
      expect(attempt).not.toThrow(/secret/)
    }
  }
})

it('names the option that was meant', () => {
  for (const [option, meant] of [
    ['pollInterval', 'poll'],
    ['maxage', 'maxAge'],
    ['watching', 'watch'],
  ]) {
    for (const attempt of make({ path: 'flags.json', [option ?? '']: 1 })) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'unknown_option', path: option }))
      expect(attempt).toThrow(`unknown option "${option}"; did you mean "${meant}"?`)
    }
  }
  for (const given of [undefined, null, 'flags.json', ['flags.json']]) {
    for (const attempt of make(given)) expect(attempt).toThrow(expect.objectContaining({ path: 'options' }))
  }
})

it('ignores options that are undefined', async () => {
  const unsaid = Object.fromEntries(wrong.map(([option]) => [option, undefined]))
  const source = fileFlags({ ...unsaid, path: '/nowhere/flags.json' })
  expect(source.name).toBe('file')
  await source.close()
})
