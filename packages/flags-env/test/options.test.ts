import { expect, it } from 'vitest'
import { envFlags } from '../src/index.ts'
import { envProvider } from '../src/openfeature.ts'

/** As JavaScript calls it, or TypeScript that was told not to look. */
function make(options: unknown): unknown[] {
  return [envFlags, envProvider].map((factory) => () => Reflect.apply(factory, undefined, [options]))
}

const wrong: readonly (readonly [option: string, path: string, values: readonly unknown[]])[] = [
  ['env', 'env', [null, 1, 'MILLRACE_STREAMING=on', [], new Map([['MILLRACE_STREAMING', 'on']])]],
  ['prefix', 'prefix', [null, 1, '', {}, Number.NaN]],
  ['name', 'name', [null, 1, '', {}]],
]

it.each(wrong)('refuses a wrong %s', (option, path, values) => {
  for (const value of values) {
    for (const attempt of make({ env: {}, [option]: value })) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_option', path }))
    }
  }
})

it('names a variable that is not a string, and does not repeat its value', () => {
  for (const value of [1, true, null, { secret: 'sk-secret' }]) {
    for (const attempt of make({ env: { MILLRACE_STREAMING: value } })) {
      expect(attempt).toThrow(expect.objectContaining({ path: 'env.MILLRACE_STREAMING' }))
      expect(attempt).not.toThrow(/secret/)
    }
  }
})

it('names the option that was meant', () => {
  for (const attempt of make({ prefx: 'CHAT' })) {
    expect(attempt).toThrow('unknown option "prefx"; did you mean "prefix"?')
    expect(attempt).toThrow(expect.objectContaining({ code: 'unknown_option', path: 'prefx' }))
  }
  for (const attempt of make('CHAT')) expect(attempt).toThrow(expect.objectContaining({ path: 'options' }))
})

it('ignores options that are undefined', () => {
  expect(envFlags({ env: { MILLRACE_STREAMING: undefined } }).describe()).toMatchObject({ name: 'env', flags: [] })
  for (const attempt of make({ env: undefined, prefix: undefined, name: undefined })) expect(attempt).not.toThrow()
})
