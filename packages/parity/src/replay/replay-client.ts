import Anthropic from '@anthropic-ai/sdk'
import { isMessage, type Message } from '@millrace/core'
import { refuse } from '@millrace/core/kit'
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
 * Returns recorded messages as a run takes them.
 *
 * @throws MillraceError `invalid_messages` for one that is not a message: it was sent to the API by another program
 */
export function asMessages(messages: readonly JsonObject[]): readonly Message[] {
  return messages.map((message: unknown, index) => {
    if (isMessage(message)) return message
    refuse(`messages[${index}]`, 'must be an object with role and content', 'invalid_messages')
  })
}
