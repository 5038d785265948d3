import { checkBoolean, checkDelay, checkFunction, checkKeys, checkMethods, refuse } from '../options/check.ts'
import { isRecord } from '../messages.ts'

const optionNames = [
  'agent',
  'context',
  'flagDeadline',
  'flags',
  'fromResult',
  'handover',
  'legacy',
  'legacyReports',
  'onEvent',
  'onWarning',
  'runtime',
  'scope',
  'toInput',
  'useStreaming',
]

/** @throws MillraceError with the option's path and what is expected there */
export function checkAdaptOptions(given: object): void {
  const options = checkKeys(given, 'options', optionNames)
  for (const name of ['legacy', 'toInput', 'fromResult']) {
    if (typeof options[name] !== 'function') refuse(name, 'must be a function')
  }
  for (const name of ['context', 'useStreaming', 'onEvent', 'onWarning']) checkFunction(options[name], name)
  if (options['agent'] === undefined) refuse('agent', 'must be an agent, made by createAgent or remoteAgent')
  checkMethods(options['agent'], 'agent', ['run'])
  checkMethods(options['flags'], 'flags', ['getBooleanDetails'])
  checkMethods(options['scope'], 'scope', ['run', 'getStore'])
  checkBoolean(options['legacyReports'], 'legacyReports')
  checkDelay(options['flagDeadline'], 'flagDeadline')
  const { handover } = options
  if (handover === 'restart') {
    if (options['scope'] === undefined) refuse('scope', 'must be an AsyncLocalStorage where handover is "restart"')
  } else if (handover !== undefined) {
    if (!isRecord(handover)) refuse('handover', 'must be { toArgs, fromLegacy } or "restart"')
    checkKeys(handover, 'handover', ['toArgs', 'fromLegacy'])
    checkMethods(handover, 'handover', ['toArgs', 'fromLegacy'])
  }
}
