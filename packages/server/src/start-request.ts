import { type Message, MillraceError } from '@millrace/core'
import { parseStartRun, type StartRunBody } from '@millrace/wire'
import { parseAgUiBody } from './foreign/ag-ui-body.ts'
import { parseChatBody } from './foreign/chat-body.ts'
import type { Route } from './routes.ts'

/** What a body asks for, in whichever protocol it came. */
export interface StartRequest {
  readonly body: StartRunBody
  /** The names that a foreign client has for its conversation and its run, to be repeated to it. */
  readonly foreign?: { readonly threadId: string; readonly runId?: string }
  /** The last answer is to be given again. */
  readonly regenerate: boolean
  /** Whether `messages` are the whole conversation, of which a session needs the last alone, or what comes after it. */
  readonly wholeConversation: boolean
}

/** @throws MillraceError `invalid_input`, with the path of what is wrong */
export function parseStart(protocol: Extract<Route, { name: 'start' }>['protocol'], body: unknown): StartRequest {
  switch (protocol) {
    case 'native':
      return { body: parseStartRun(body), regenerate: false, wholeConversation: false }
    case 'ui-message-stream':
      return parseChatBody(body)
    case 'ag-ui':
      return parseAgUiBody(body)
  }
}

/**
 * The conversation that the model is given.
 *
 * @param held what the session holds; undefined without a session
 * @throws MillraceError `invalid_input`
 */
export function conversationOf(start: StartRequest, held: readonly Message[] | undefined): readonly Message[] {
  const { messages, input } = start.body
  const asked = input === undefined ? [...(messages ?? [])] : [{ role: 'user' as const, content: input }]
  const given = asked.filter(isMessage)
  if (held === undefined) return given
  if (!start.wholeConversation) return [...held, ...given]
  // A chat client repeats everything it shows. What the model is told of the past is what the session holds.
  const question = given.findLast(isQuestion)
  if (question === undefined) throw new MillraceError('invalid_input', 'there is no user message', { path: 'messages' })
  const before = start.regenerate ? held.slice(0, Math.max(held.findLastIndex(isQuestion), 0)) : held
  return [...before, question]
}

/** A user message that is no answer to tool calls. */
function isQuestion({ role, content }: Message): boolean {
  if (role !== 'user') return false
  return typeof content === 'string' || !content.some(({ type }) => type === 'tool_result')
}

/** What is checked further is checked by the agent, with the message's path. */
function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null
}
