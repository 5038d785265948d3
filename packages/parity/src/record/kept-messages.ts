import { isRecord } from '@millrace/core/kit'
import { isList, isSame, type JsonObject } from '../kit/json.ts'

/** The messages of a request, and those that the request before it did not have. */
export interface AddedMessages {
  readonly messages: readonly JsonObject[]
  readonly kept: number
  readonly added: readonly JsonObject[]
}

/** Compares a request's messages with those of the request before it, so that a long history is stored once. */
export function addedMessages(before: readonly unknown[], body: JsonObject): AddedMessages {
  const messages = isList(body['messages']) ? body['messages'].filter(isRecord) : []
  const difference = messages.findIndex((message, index) => index >= before.length || !isSame(message, before[index]))
  const kept = difference === -1 ? Math.min(messages.length, before.length) : difference
  return { messages, kept, added: messages.slice(kept) }
}
