import { expect, it } from 'vitest'
import { checkOptions, oneOf } from '../../src/kit/index.ts'

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
  ['colour', 'unknown option "options.colour"; expected one of recovery, limits, flags'],
  ['toString', 'unknown option "options.toString"; expected one of recovery, limits, flags'],
])('names the option that "%s" was meant to be, or all of them', (key, message) => {
  expect(messageFor(key)).toBe(message)
})
