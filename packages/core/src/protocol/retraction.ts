import { oneOf, type Rule } from '../kit/checks.ts'

/** What a `retraction` option may say. */
export const aRetraction: Rule = oneOf('auto', 'retract', 'continue', 'hold', 'fail')

/**
 * What happens to text that was shown and then turns out not to be the final one. `retract`: an event withdraws it.
 * `continue`: it is committed as it stands and the model goes on from there. `hold`: text is shown once its turn is
 * whole, and not at all where it fails. `fail`: the run fails. `auto`: `continue` where there is an `onText` callback
 * without an `onRetract`, else `retract`.
 */
export type Retraction = 'auto' | 'retract' | 'continue' | 'hold' | 'fail'
