import { type Runtime, systemRuntime } from './clock.ts'
import { aClock, aFunction, checkOptions, withDefaults } from './checks.ts'

const rules = { clock: aClock, random: aFunction, newId: aFunction }

/**
 * The runtime, with the platform's parts where none were given.
 *
 * @throws MillraceError with the option's path and what is expected there
 */
export function readRuntime(given: Partial<Runtime> = {}): Runtime {
  checkOptions(given, 'runtime', rules)
  return withDefaults(systemRuntime, given)
}
