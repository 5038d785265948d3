import { type Runtime, systemRuntime } from '../runtime.ts'
import { checkFunction, checkKeys, checkMethods, withDefaults } from './check.ts'

/**
 * The runtime, with the platform's parts where none were given.
 *
 * @throws MillraceError with the option's path and what is expected there
 */
export function readRuntime(given: Partial<Runtime> = {}): Runtime {
  checkKeys(given, 'runtime', ['clock', 'random', 'newId'])
  checkMethods(given.clock, 'runtime.clock', ['now', 'setTimer'])
  checkFunction(given.random, 'runtime.random')
  checkFunction(given.newId, 'runtime.newId')
  return withDefaults(systemRuntime, given)
}
