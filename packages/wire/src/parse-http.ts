import { isMessage, type Message, MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { CancelBody, ProblemBody, StartRunBody } from './http.ts'

const runIdPattern = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** The longest session id, metadata key and cancel reason. They are kept and compared, so they are short. */
const maxIdChars = 256

/** Characters of an unknown field's name that an error repeats. */
const maxNameChars = 64

const startFields: Readonly<Record<keyof StartRunBody, true>> = {
  input: true,
  messages: true,
  metadata: true,
  mode: true,
  retraction: true,
  runId: true,
  sessionId: true,
}

const cancelFields: Readonly<Record<keyof CancelBody, true>> = { reason: true }

/**
 * Reads the body of `POST /runs`. Rejects unknown fields, because a misspelt field would otherwise be ignored.
 *
 * @throws MillraceError `invalid_input`, with the `path` of what is wrong
 */
export function parseStartRun(body: unknown): StartRunBody {
  if (!isRecord(body)) throw invalid('', 'the body must be a JSON object')
  refuseUnknown(body, startFields)
  const messages = own(body, 'messages')
  const input = own(body, 'input')
  if ((messages === undefined) === (input === undefined)) {
    throw invalid('messages', 'give either `messages` or `input`')
  }
  const mode = own(body, 'mode')
  if (mode !== undefined && mode !== 'auto' && mode !== 'stream' && mode !== 'buffered') {
    throw invalid('mode', '`mode` must be "auto", "stream" or "buffered"')
  }
  const retraction = own(body, 'retraction')
  if (retraction !== undefined && !isRetraction(retraction)) {
    throw invalid('retraction', '`retraction` must be "retract", "continue", "hold" or "fail"')
  }
  const metadata = own(body, 'metadata')
  if (metadata !== undefined && !isRecord(metadata)) throw invalid('metadata', '`metadata` must be a JSON object')
  const runId = own(body, 'runId')
  if (runId !== undefined && !(typeof runId === 'string' && runIdPattern.test(runId))) {
    throw invalid('runId', '`runId` must be a UUID')
  }
  const sessionId = parseShortText(body, 'sessionId')
  return {
    ...(messages !== undefined && { messages: parseMessages(messages) }),
    ...(input !== undefined && { input: parseInput(input) }),
    ...(sessionId !== undefined && { sessionId }),
    ...(mode !== undefined && { mode }),
    ...(retraction !== undefined && { retraction }),
    ...(metadata !== undefined && { metadata }),
    ...(runId !== undefined && { runId }),
  }
}

/** Reads the body of a cancel, which may be missing. @throws MillraceError `invalid_input` */
export function parseCancel(body: unknown): CancelBody {
  if (body === undefined) return {}
  if (!isRecord(body)) throw invalid('', 'the body must be a JSON object')
  refuseUnknown(body, cancelFields)
  const reason = parseShortText(body, 'reason')
  return reason === undefined ? {} : { reason }
}

/** The place of a cursor in a request. */
export type CursorSource = 'after' | 'Last-Event-ID'

/**
 * Reads the cursor of a request. Returns 0 without one.
 *
 * @param source the place of the cursor, for the error
 * @throws MillraceError `invalid_input`, with `source` as its path
 */
export function parseCursor(cursor: string | null | undefined, source: CursorSource = 'after'): number {
  if (cursor === null || cursor === undefined || cursor === '') return 0
  if (!/^\d{1,15}$/.test(cursor)) {
    const where = source === 'after' ? 'the query parameter `after`' : 'the header `Last-Event-ID`'
    throw invalid(source, `${where} must be the seq of the last event seen, such as 17, or be left out`)
  }
  return Number(cursor)
}

export function isProblem(body: unknown): body is ProblemBody {
  return isRecord(body) && typeof body['title'] === 'string' && typeof body['code'] === 'string'
}

export function isRetraction(value: unknown): value is NonNullable<StartRunBody['retraction']> {
  return value === 'retract' || value === 'continue' || value === 'hold' || value === 'fail'
}

function parseMessages(messages: unknown): readonly Message[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid('messages', '`messages` must be a list that is not empty')
  return messages.map((message: unknown, index) => {
    if (isMessage(message) && message.role !== 'system') return message
    throw invalid(
      `messages[${index}]`,
      'a message must have a `role`, "user" or "assistant", and a text or a list of content blocks',
    )
  })
}

function parseInput(input: unknown): string {
  if (typeof input !== 'string' || input.trim() === '') throw invalid('input', '`input` must be a text, not empty')
  return input
}

function parseShortText(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = own(body, name)
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > maxIdChars) {
    throw invalid(name, `\`${name}\` must be a text of 1 to ${maxIdChars} characters`)
  }
  return value
}

function refuseUnknown(body: Readonly<Record<string, unknown>>, known: Readonly<Record<string, true>>): void {
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  const name = unknown.slice(0, maxNameChars)
  throw invalid(name, `unknown field "${name}"; expected one of ${Object.keys(known).join(', ')}`)
}

function own(body: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(body, name) ? body[name] : undefined
}

function invalid(path: string, message: string): MillraceError {
  return new MillraceError('invalid_input', message, path === '' ? {} : { path })
}
