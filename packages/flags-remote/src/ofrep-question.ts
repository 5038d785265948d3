import { parseJson } from '@millrace/core/kit'
import type { SourceHealth } from '@millrace/flags'
import { type Fetched, fetchText, type Transport } from './fetch-text.ts'
import { type BulkAnswer, readBulkAnswer } from './ofrep-answer.ts'
import type { ContextEntry } from './ofrep-contexts.ts'
import type { Attempt } from './poller.ts'

export interface QuestionOptions {
  readonly url: URL
  readonly transport: Transport
  readonly health: SourceHealth
  readonly signal: AbortSignal
}

/** Requests all flags of one context, and keeps the answer in its entry. Never rejects. */
export async function askServer(entry: ContextEntry, options: QuestionOptions): Promise<Attempt> {
  const { url, transport, health, signal } = options
  const body = JSON.stringify({ context: entry.context })
  const fetched = await fetchText({ url, body, etag: entry.known?.etag }, transport, signal)
  if (signal.aborted) return { status: 'ok' }
  if (fetched.status === 'not_modified' && entry.known !== undefined) {
    entry.known = { ...entry.known, asOf: transport.clock.now() }
    health.prosper(transport.clock.now())
    return { status: 'ok' }
  }
  if (fetched.status === 'text') return keep(entry, fetched, options)
  return refuse(fetched, options)
}

function keep(
  entry: ContextEntry,
  { text, etag }: Extract<Fetched, { status: 'text' }>,
  { health, transport }: QuestionOptions,
): Attempt {
  const answer = readBulkAnswer(parseJson(text))
  if (answer === undefined) {
    health.fail('invalid', 'the answer is not an OFREP bulk evaluation')
    return { status: 'failed' }
  }
  const before = entry.known
  if (before !== undefined && before.answer.size > 0 && answer.size === 0) {
    health.fail('emptied', 'the answer has no flag any more')
    return { status: 'failed' }
  }
  const asOf = transport.clock.now()
  entry.known = { answer, text, etag, asOf }
  health.prosper(asOf)
  if (before !== undefined) health.change(changedFlags(before.answer, answer))
  return { status: 'ok' }
}

function refuse(fetched: Fetched, { health, transport }: QuestionOptions): Attempt {
  if (fetched.status !== 'failed') return { status: 'failed' }
  // The server is there, but does not evaluate this context. That is no reason to back off.
  if (fetched.httpStatus === 400) {
    health.prosper(transport.clock.now())
    return { status: 'ok' }
  }
  health.fail('unreachable', `the server ${fetched.message}`)
  const { retryAfterMs } = fetched
  return { status: 'failed', ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function changedFlags(before: BulkAnswer, after: BulkAnswer): string[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])]
  return keys.filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)))
}
