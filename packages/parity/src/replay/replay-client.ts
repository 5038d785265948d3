import Anthropic from '@anthropic-ai/sdk'
import type { InputMessage } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { JsonObject } from '../kit/json.ts'
import type { Fetch } from '../record/recording-fetch.ts'

/** A client that asks by `fetch` alone. What the team has set for its own client does not reach this one. */
export function replayClient(fetch: Fetch, baseURL = 'http://127.0.0.1'): Anthropic {
  return new Anthropic({
    apiKey: 'replay',
    authToken: null,
    baseURL,
    fetch,
    maxRetries: 0,
    logLevel: 'off',
    openTelemetry: false,
  })
}

/**
 * Recorded messages as a run takes them. They were sent to the API by somebody: the loop checks what it needs of them.
 */
export function asMessages(messages: readonly JsonObject[]): readonly InputMessage[] {
  if (!isMessages(messages)) throw new TypeError('unreachable')
  return messages
}

function isMessages(messages: readonly unknown[]): messages is readonly InputMessage[] {
  return messages.every((message) => isRecord(message) && 'role' in message && 'content' in message)
}
