import { type Message, MillraceError } from '@millrace/core'
import { parseStartRun, type StartRunBody } from '@millrace/wire'
import { type AgUiOptions, readRunAgentInput } from '@millrace/wire/ag-ui'
import { readChatRequest } from '@millrace/wire/ui-message-stream'
import { isRecord } from './check.ts'
import type { Route } from './routes.ts'

/** What a body asks for, in whichever protocol it came. */
export interface StartRequest {
  readonly body: StartRunBody
  /** What an AG-UI client calls its conversation and its run, and what it shows. */
  readonly agUi?: AgUiOptions
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
    case 'ui-message-stream': {
      const { sessionId, messages } = readChatRequest(body)
      const regenerate = isRecord(body) && body['trigger'] === 'regenerate-message'
      return { body: { messages, sessionId: checkId(sessionId, 'id') }, regenerate, wholeConversation: true }
    }
    case 'ag-ui': {
      const { threadId, runId, given, messages } = readRunAgentInput(body)
      const agUi = { threadId: checkId(threadId, 'threadId'), runId: checkId(runId, 'runId'), messages: given }
      const own = isUuid(runId) ? { runId } : {}
      return { body: { messages, sessionId: threadId, ...own }, agUi, regenerate: false, wholeConversation: true }
    }
  }
}

/** Ids are kept and compared: none needs to be long. */
function checkId(id: string, path: string): string {
  if (id.length > 256) throw new MillraceError('invalid_input', `\`${path}\` may have 256 characters`, { path })
  return id
}

function isUuid(value: string): boolean {
  return /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value)
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
