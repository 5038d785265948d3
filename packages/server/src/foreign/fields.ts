import { MillraceError } from '@millrace/core'
import { isRecord } from '../check.ts'

export type Fields = Readonly<Record<string, unknown>>

/** A field that the object has itself, not one of its prototype. */
export function field(object: Fields, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function invalid(path: string, message: string): MillraceError {
  return new MillraceError('invalid_input', message, { path })
}

/** @throws MillraceError `invalid_input` */
export function readBodyFields(body: unknown): Fields {
  if (!isRecord(body)) throw invalid('', 'the body must be a JSON object')
  return body
}

/** An id that the client has chosen: kept and compared. @throws MillraceError `invalid_input` */
export function readId(body: Fields, name: string): string {
  const id = field(body, name)
  if (typeof id !== 'string' || id === '' || id.length > 256) {
    throw invalid(name, `\`${name}\` must be a text of 1 to 256 characters`)
  }
  return id
}

/** @throws MillraceError `invalid_input` */
export function readMessageList(body: Fields): readonly Fields[] {
  const messages = field(body, 'messages')
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid('messages', '`messages` must be a list, not empty')
  }
  const wrong = messages.findIndex((message) => !isRecord(message))
  if (wrong >= 0) throw invalid(`messages[${wrong}]`, 'a message must be an object')
  return messages.filter(isRecord)
}

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && uuid.test(value)
}
