import { isRecord } from '../messages.ts'
import { aBoolean, aDelay, aFunction, anything, checkOptions, refuse, withMethods } from '../options/check.ts'

const toLegacy = { toArgs: aFunction, fromLegacy: aFunction }

const rules = {
  legacy: aFunction,
  agent: withMethods('run'),
  toInput: aFunction,
  fromResult: aFunction,
  handover(value: unknown, path: string): void {
    if (value === 'restart') return
    if (!isRecord(value)) refuse(path, 'must be { toArgs, fromLegacy } or "restart"')
    checkOptions(value, path, toLegacy)
    withMethods('toArgs', 'fromLegacy')(value, path)
  },
  flags: withMethods('getBooleanDetails'),
  context: aFunction,
  useStreaming: aFunction,
  scope: withMethods('run', 'getStore'),
  legacyReports: aBoolean,
  onEvent: aFunction,
  onWarning: aFunction,
  flagDeadline: aDelay(),
  runtime: anything,
}

/** @throws MillraceError with the option's path and what is expected there */
export function checkAdaptOptions(given: object): void {
  const { handover, scope, ...options } = checkOptions(given, '', rules)
  for (const name of ['legacy', 'toInput', 'fromResult']) aFunction(options[name], name)
  if (options['agent'] === undefined) refuse('agent', 'must be an agent, made by createAgent or remoteAgent')
  if (handover === 'restart' && scope === undefined) {
    refuse('scope', 'must be an AsyncLocalStorage where handover is "restart"')
  }
}
