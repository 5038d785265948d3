import { isMessage, type Message } from '@millrace/core'
import { ProblemError } from '../http/problem.ts'
import type { StartRequest } from './start-request.ts'

export interface Conversation {
  readonly messages: readonly Message[]
  /** Where the messages of the request begin; what is before them is the session's. */
  readonly from: number
}

/**
 * Puts together the conversation that the model is given.
 *
 * @param held what the session holds; undefined without a session
 * @throws ProblemError `invalid_body`
 */
export function conversationOf(
  start: StartRequest,
  held: readonly Message[] | undefined,
  { trustHistory }: { readonly trustHistory: boolean },
): Conversation {
  const { messages, input } = start.body
  const asked = input === undefined ? [...(messages ?? [])] : [{ role: 'user' as const, content: input }]
  const given = asked.filter(isMessage)
  if (held === undefined) return { messages: given, from: 0 }
  if (!start.wholeConversation) {
    if (!trustHistory) refuseHistory(given)
    return { messages: [...held, ...given], from: held.length }
  }
  // A chat client repeats everything it shows. What the model is told of the past is what the session holds.
  const question = lastQuestion(given)
  if (question === undefined) {
    throw new ProblemError('invalid_body', '`messages` has no message of the user', { path: 'messages' })
  }
  const before = start.regenerate ? held.slice(0, Math.max(held.findLastIndex(isQuestion), 0)) : held
  return { messages: [...before, question], from: before.length }
}

/** A session holds what happened. Of a client it takes what its user says: no answers, no calls, no results of them. */
function refuseHistory(messages: readonly Message[]): void {
  for (const [index, { role, content }] of messages.entries()) {
    const path = `messages[${index}]`
    if (role !== 'user') {
      throw new ProblemError('invalid_body', `\`${path}.role\` must be "user" in a session, which keeps the answers`, {
        path: `${path}.role`,
      })
    }
    const wrong = typeof content === 'string' ? -1 : content.findIndex((block) => !isSaid(block))
    if (wrong < 0) continue
    const at = `${path}.content[${wrong}]`
    throw new ProblemError('invalid_body', `\`${at}\` must not be of a tool call in a session, which keeps them`, {
      path: at,
    })
  }
}

/** The last user message that is more than results of tool calls, without these. */
function lastQuestion(messages: readonly Message[]): Message | undefined {
  for (const message of messages.toReversed()) {
    if (message.role !== 'user') continue
    if (typeof message.content === 'string') return message
    const content = message.content.filter((block) => isSaid(block))
    if (content.length > 0) return { ...message, content }
  }
  return undefined
}

/** A user message that is no answer to tool calls. */
function isQuestion({ role, content }: Message): boolean {
  return role === 'user' && (typeof content === 'string' || content.every((block) => isSaid(block)))
}

/** Whether a block is neither a tool call nor the result of one, of a client tool or one that Anthropic executes. */
function isSaid({ type }: { readonly type: string }): boolean {
  return !type.endsWith('tool_use') && !type.endsWith('tool_result')
}
