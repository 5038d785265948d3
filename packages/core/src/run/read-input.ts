import { lacksRetract } from './callbacks.ts'
import { isRecord } from '../kit/guards.ts'
import type { Message } from '../protocol/messages.ts'
import type { FlagContext } from './flag-client.ts'
import type { ResumeInput } from './agent.ts'
import type { RunInput } from './run.ts'
import { type Retraction, aRetraction } from '../protocol/retraction.ts'
import {
  aFunction,
  anId,
  anObject,
  anything,
  aSignal,
  checkOptions,
  oneOf,
  refuse,
  rule,
  withMethods,
} from '../kit/checks.ts'
import { needed, checkParams } from '../model/request-params.ts'
import { readMessages } from '../protocol/read-messages.ts'

const callbackRules = {
  onText: aFunction,
  onThinking: aFunction,
  onToolUse: aFunction,
  onToolProgress: aFunction,
  onToolResult: aFunction,
  onRetract: aFunction,
  onError: aFunction,
  onEvent: aFunction,
}

/** What a run that is taken over may be given anew. */
const resumeRules = {
  signal: aSignal,
  user: rule((user) => typeof user === 'string' || isRecord(user), 'must be a string or a flag context'),
  callbacks: anObject(callbackRules),
  retraction: aRetraction,
  flags: withMethods('getBooleanDetails'),
  ledger: withMethods('record', 'take'),
}

const rules = {
  messages: anything,
  ...resumeRules,
  mode: oneOf('auto', 'stream', 'buffered'),
  request: checkRunRequest,
  runId: anId,
  sessionId: anId,
  owner: anId,
  metadata: rule(isRecord, 'must be an object of plain JSON'),
  decision: checkDecision,
}

/** @throws MillraceError with the path of what is wrong and what is expected there */
export function readRunInput(input: RunInput): readonly Message[] {
  checkOptions(input, '', rules, 'input')
  return readMessages(input.messages)
}

/** @throws MillraceError likewise */
export function checkResumeInput(input: ResumeInput): void {
  checkOptions(input, '', resumeRules, 'input')
}

function checkRunRequest(request: unknown, path: string): void {
  checkParams(request, path, ['messages', 'stream', 'tools'])
  for (const name of ['model', 'max_tokens'] as const) {
    if (name in request) needed[name](request[name], `${path}.${name}`)
  }
}

function checkDecision(decision: unknown, path: string): void {
  if (!isRecord(decision)) refuse(path, 'must be an object, as in run.started')
  oneOf('stream', 'buffered', 'legacy')(decision['mode'], `${path}.mode`)
  if (!isRecord(decision['tools'])) refuse(`${path}.tools`, 'must be an object of tool names')
}

export function flagContext(user: RunInput['user']): FlagContext {
  return typeof user === 'string' ? { targetingKey: user } : (user ?? {})
}

/** Returns how a run treats shown text: by its own option, else the agent's, else by what its callbacks can do. */
export function readRetraction(input: RunInput, agent: Retraction = 'auto'): Exclude<Retraction, 'auto'> {
  const wanted = input.retraction === undefined || input.retraction === 'auto' ? agent : input.retraction
  if (wanted !== 'auto') return wanted
  return lacksRetract(input.callbacks) ? 'continue' : 'retract'
}
