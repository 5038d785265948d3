import type Anthropic from '@anthropic-ai/sdk'
import type { Agent } from '@millrace/core'
import { aFunction, aSignal, checkOptions } from '@millrace/core/kit'
import type { Cassette } from '../cassette/cassette.ts'
import type { JsonObject } from '../kit/json.ts'
import type { Fetch } from '../record/recording-fetch.ts'
import { onePlaceholder } from '../redaction/placeholders.ts'
import { createRedactor } from '../redaction/redactor.ts'
import { recordedRun } from '../replay/recorded-run.ts'
import { asMessages, replayClient } from '../replay/replay-client.ts'
import { type CapturedRequest, captureRequest } from './capture-request.ts'
import { type RequestDifference, requestDifferences } from './request-differences.ts'

/**
 * Makes the agent to be compared. `client` asks no model: its first request is caught. An agent on a client of your
 * own, such as one for Bedrock, gives that client `fetch`.
 */
export type MakeAgent = (client: Anthropic, fetch: Fetch) => Agent | Promise<Agent>

export interface CompareRequestOptions {
  readonly signal?: AbortSignal
}

/** How the first request of an agent differs from the recorded one. */
export interface RequestReport {
  /** Of the cassette. */
  readonly id: string
  /** Whether nothing differs. */
  readonly equal: boolean
  readonly differences: readonly RequestDifference[]
  /** What the comparison leaves out, in words. */
  readonly notes: readonly string[]
}

/**
 * Gives an agent the recorded question and compares its first request with the recorded one: model, system prompt,
 * tools, parameters and messages. The request is never answered, so that no tool runs and no model is asked.
 *
 * Rejects with a MillraceError `invalid_option` or `unknown_option`, a ParityError `invalid_cassette`, what `makeAgent`
 * throws, or the signal's reason.
 */
export async function compareRequest(
  cassette: Cassette,
  makeAgent: MakeAgent,
  options: CompareRequestOptions = {},
): Promise<RequestReport> {
  aFunction(makeAgent, 'makeAgent')
  const { signal } = checkedOptions(options)
  const { first } = recordedRun(cassette)
  const sent = await firstRequest(makeAgent, first.messages, signal)
  const { exchanges, id, redacted } = cassette
  const betas = exchanges[0]?.request.betas ?? []
  const recorded = requestOf({ body: { ...first.parameters, messages: first.messages }, betas }, redacted)
  const differences =
    sent.status === 'sent'
      ? requestDifferences(recorded, requestOf(sent.request, redacted))
      : [{ path: 'request', text: `your agent sends none: ${sent.why}` }]
  return {
    id,
    equal: differences.length === 0,
    differences,
    notes: redacted.length === 0 ? [] : [`redacted, and so not compared: ${redacted.join(', ')}`],
  }
}

function checkedOptions(options: CompareRequestOptions): CompareRequestOptions {
  checkOptions(options, '', { signal: aSignal })
  return options
}

/** The request with everything redacted that the recording does not hold. */
function requestOf({ body, betas }: CapturedRequest, redacted: readonly string[]): JsonObject {
  const request = createRedactor(redacted, [], onePlaceholder).request(body)
  return betas.length === 0 ? request : { ...request, betas: [...betas].sort() }
}

type Sent =
  | { readonly status: 'sent'; readonly request: CapturedRequest }
  | { readonly status: 'silent'; readonly why: string }

async function firstRequest(
  makeAgent: MakeAgent,
  messages: readonly JsonObject[],
  signal: AbortSignal | undefined,
): Promise<Sent> {
  signal?.throwIfAborted()
  const { fetch, request } = captureRequest()
  const agent = await makeAgent(replayClient(fetch), fetch)
  const stop = new AbortController()
  const run = startRun(agent, messages, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]))
  try {
    return await Promise.race([request.then((sent): Sent => ({ status: 'sent', request: sent })), run])
  } finally {
    stop.abort()
    await run
    signal?.throwIfAborted()
  }
}

/** Resolves when the run has ended, with why it may have asked nothing. */
async function startRun(agent: Agent, messages: readonly JsonObject[], signal: AbortSignal): Promise<Sent> {
  try {
    // Its flags are not asked: it is the agent's own request that is looked for, and not that of a legacy loop.
    const { outcome, error } = await agent.run({ messages: asMessages(messages), mode: 'stream', signal }).result
    return { status: 'silent', why: error?.message ?? `its run ended as ${outcome}` }
  } catch (error) {
    return { status: 'silent', why: error instanceof Error ? error.message : String(error) }
  }
}
