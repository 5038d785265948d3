import { expect, it } from 'vitest'
import { aCount, aDuration, aListOf, anId, aRecordOf, checkOptions, oneOf } from '../../src/kit/index.ts'

const rules = { recovery: oneOf(1), limits: oneOf(1), flags: oneOf(1) }
const messageFor = (key: string): string => {
  try {
    checkOptions({ [key]: 1 }, 'options', rules)
    return 'no error'
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}

it.each([
  ['recovry', 'unknown option "options.recovry"; did you mean "recovery"?'],
  ['Limit', 'unknown option "options.Limit"; did you mean "limits"?'],
  ['flag', 'unknown option "options.flag"; did you mean "flags"?'],
  ['felags', 'unknown option "options.felags"; did you mean "flags"?'],
  ['limtis', 'unknown option "options.limtis"; did you mean "limits"?'],
  ['falgs', 'unknown option "options.falgs"; did you mean "flags"?'],
  ['flagsClient', 'unknown option "options.flagsClient"; did you mean "flags"?'],
  ['f'.repeat(100_000), `unknown option "options.${'f'.repeat(100_000)}"; expected one of recovery, limits, flags`],
  ['colour', 'unknown option "options.colour"; expected one of recovery, limits, flags'],
  ['toString', 'unknown option "options.toString"; expected one of recovery, limits, flags'],
])('names the option that "%s" was meant to be, or all of them', (key, message) => {
  expect(messageFor(key)).toBe(message)
})

it.each([
  [aListOf(anId), ['a', ''], 'list[1] must be a string that is not empty'],
  [aListOf(anId), new Set(['a']), 'list must be an array'],
  [aRecordOf(aCount(1)), { a: 0 }, 'list.a must be a whole number of at least 1'],
  [aRecordOf(aCount(1)), new Map([['a', 1]]), 'list must be a plain object'],
  [aDuration, 0, 'list must be a positive number of milliseconds, or Infinity'],
  [aDuration, Number.NaN, 'list must be a positive number of milliseconds, or Infinity'],
] as const)('names the member that is wrong: %#', (check, value, message) => {
  expect(() => check(value, 'list')).toThrow(message)
})

it('accepts lists, records and durations of what their rules accept', () => {
  expect(() => aListOf(anId)(['a', 'b'], 'list')).not.toThrow()
  expect(() => aRecordOf(aCount(1))({ a: 1 }, 'record')).not.toThrow()
  expect(() => aDuration(Infinity, 'maxAge')).not.toThrow()
})
