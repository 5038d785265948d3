import { MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { parseStartRun, type StartRunBody } from '@millrace/wire'
import { type AgUiOptions, readRunAgentInput } from '@millrace/wire/ag-ui'
import { readChatRequest } from '@millrace/wire/ui-message-stream'
import type { Route } from '../http/routes.ts'

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
      const { sessionId, messages, retraction } = readChatRequest(body)
      const regenerate = isRecord(body) && body['trigger'] === 'regenerate-message'
      return {
        body: { messages, sessionId: checkId(sessionId, 'id'), retraction },
        regenerate,
        wholeConversation: true,
      }
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
  if (id.length <= 256) return id
  throw new MillraceError('invalid_input', `\`${path}\` may have 256 characters`, { path })
}

function isUuid(value: string): boolean {
  return /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value)
}
