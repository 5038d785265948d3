import { type Rule, rule } from './checks.ts'

/** How long something may last or be old, in milliseconds, without a limit if it is `Infinity`. */
export const aDuration: Rule = rule(
  (value) => typeof value === 'number' && value > 0,
  'must be a positive number of milliseconds, or Infinity',
)
