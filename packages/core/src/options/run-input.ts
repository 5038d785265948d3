import { cannotRetract } from '../callbacks.ts'
import { isRecord, type Message } from '../messages.ts'
import type { FlagContext } from '../ports/flag-client.ts'
import type { Retraction, RunInput } from '../run.ts'
import { checkCount, checkFunction, checkKeys, checkMethods, checkOneOf, checkSignal, refuse } from './check.ts'
import { readMessages } from './messages.ts'

const inputNames = [
  'callbacks',
  'decision',
  'flags',
  'ledger',
  'messages',
  'metadata',
  'mode',
  'owner',
  'request',
  'retraction',
  'runId',
  'sessionId',
  'signal',
  'user',
]

const callbackNames = [
  'onError',
  'onEvent',
  'onRetract',
  'onText',
  'onThinking',
  'onToolProgress',
  'onToolResult',
  'onToolUse',
] as const

/** @throws MillraceError with the path of what is wrong and what is expected there */
export function readRunInput(input: RunInput): readonly Message[] {
  checkKeys(input, 'input', inputNames)
  const messages = readMessages(input.messages)
  checkSignal(input.signal, 'signal')
  checkOneOf(input.mode, 'mode', ['auto', 'stream', 'buffered'])
  checkOneOf(input.retraction, 'retraction', ['auto', 'retract', 'continue', 'hold', 'fail'])
  checkMethods(input.flags, 'flags', ['getBooleanDetails'])
  checkMethods(input.ledger, 'ledger', ['record', 'take'])
  for (const name of ['runId', 'sessionId', 'owner'] as const) {
    const value: unknown = input[name]
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      refuse(name, 'must be a string that is not empty')
  }
  const { request, decision, callbacks, user, metadata } = input
  if (metadata !== undefined && !isRecord(metadata)) refuse('metadata', 'must be an object of plain JSON')
  checkRequest(request)
  checkDecision(decision)
  if (user !== undefined && typeof user !== 'string' && !isRecord(user))
    refuse('user', 'must be a string or a flag context')
  if (callbacks !== undefined) {
    checkKeys(callbacks, 'callbacks', callbackNames)
    for (const name of callbackNames) checkFunction(callbacks[name], `callbacks.${name}`)
  }
  return messages
}

function checkRequest(request: unknown): void {
  if (request === undefined) return
  if (!isRecord(request)) refuse('request', 'must be an object of Messages API parameters')
  for (const name of ['messages', 'stream', 'tools']) {
    if (name in request) refuse(`request.${name}`, 'cannot be changed for one run')
  }
  const { model, max_tokens } = request
  if ('model' in request && (typeof model !== 'string' || model === '')) refuse('request.model', 'must name a model')
  if ('max_tokens' in request) checkCount(max_tokens ?? Number.NaN, 'request.max_tokens', 1)
}

function checkDecision(decision: unknown): void {
  if (decision === undefined) return
  if (!isRecord(decision)) refuse('decision', 'must be an object, as in run.started')
  const { mode = '', tools } = decision
  checkOneOf(mode, 'decision.mode', ['stream', 'buffered', 'legacy'])
  if (!isRecord(tools)) refuse('decision.tools', 'must be an object of tool names')
}

export function flagContext(user: RunInput['user']): FlagContext {
  return typeof user === 'string' ? { targetingKey: user } : (user ?? {})
}

/** How this run treats shown text: its own option, else the agent's, else by what its callbacks can do. */
export function readRetraction(input: RunInput, agent: Retraction): Exclude<Retraction, 'auto'> {
  const wanted = input.retraction === undefined || input.retraction === 'auto' ? agent : input.retraction
  if (wanted !== 'auto') return wanted
  return cannotRetract(input.callbacks) ? 'continue' : 'retract'
}
