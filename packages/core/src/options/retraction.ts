import { oneOf, type Rule } from './check.ts'

/** What a `retraction` option may say. */
export const aRetraction: Rule = oneOf('auto', 'retract', 'continue', 'hold', 'fail')
