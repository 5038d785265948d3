import { type Runtime, systemRuntime } from './clock.ts'
import { aFunction, checkOptions, withDefaults, withMethods } from './checks.ts'

const rules = { clock: withMethods('now', 'setTimer'), random: aFunction, newId: aFunction }

/**
 * The runtime, with the platform's parts where none were given.
 *
 * @throws MillraceError with the option's path and what is expected there
 */
export function readRuntime(given: Partial<Runtime> = {}): Runtime {
  checkOptions(given, 'runtime', rules)
  return withDefaults(systemRuntime, given)
}
