import { isRecord, parseJson } from '@millrace/core/kit'
import { type BulkAnswer, readBulkAnswer } from './ofrep-answer.ts'

/** A server's answer for one context. */
export interface ContextAnswer {
  readonly answer: BulkAnswer
  /** The answer as text, which is what is saved. */
  readonly text: string
  readonly etag: string | undefined
  /** When it was last confirmed, in milliseconds since the epoch. */
  readonly asOf: number
}

/** Reads what {@link writeSavedAnswers} wrote, by the hash of the context. Anything else is ignored. */
export function readSavedAnswers(text: string | undefined): Map<string, ContextAnswer> {
  const saved = new Map<string, ContextAnswer>()
  const value = text === undefined ? undefined : parseJson(text)
  if (!isRecord(value) || value['v'] !== 1 || !isRecord(value['contexts'])) return saved
  for (const [hash, entry] of Object.entries(value['contexts'])) {
    if (!isRecord(entry)) continue
    const { text: body, etag, asOf } = entry
    if (typeof body !== 'string' || typeof asOf !== 'number') continue
    const answer = readBulkAnswer(parseJson(body))
    if (answer === undefined) continue
    saved.set(hash, { answer, text: body, etag: typeof etag === 'string' ? etag : undefined, asOf })
  }
  return saved
}

/** Writes answers, by the hash of the context, as text. */
export function writeSavedAnswers(answers: ReadonlyMap<string, ContextAnswer>): string {
  const contexts = [...answers].map(([hash, { text, etag, asOf }]) => [hash, { text, etag, asOf }])
  return JSON.stringify({ v: 1, contexts: Object.fromEntries(contexts) })
}
