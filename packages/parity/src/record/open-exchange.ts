import type { Clock } from '@millrace/core'
import { isRecord, parseJson } from '@millrace/core/kit'
import type { BrokenReason, RecordedAnswer, RecordedMessage, RequestBody } from '../cassette/cassette.ts'
import { isList } from '../kit/json.ts'
import type { Redactor } from '../redaction/redactor.ts'
import { type ByteBudget, holdBytes } from './held-bytes.ts'
import { readAnswer } from './read-answer.ts'

/** Looks up a header by its lower-case name. */
export type HeaderLookup = (name: string) => string | undefined

/** What is known about a request before its body. */
export interface RequestHead {
  readonly header: HeaderLookup
  /** Whether its query says that it goes to the beta API. */
  readonly isBeta: boolean
}

/** Headers that hold a key. They are not stored, and the key is redacted everywhere else. */
const keyHeaders = ['authorization', 'x-api-key', 'proxy-authorization']

/** A body without its content encoding, or why it cannot be had. */
export type DecodedBody = Uint8Array | 'too_large' | 'unreadable'

/** One request that is being recorded. It is given the bytes as they pass. No method throws. */
export interface OpenExchange {
  requestBytes(bytes: Uint8Array): void
  requestEnd(): void
  /** Takes the answer's status and headers. `decode` undoes its content encoding, if it has one. */
  answerHead(status: number, header: HeaderLookup, decode?: (bytes: Uint8Array) => DecodedBody): void
  answerBytes(bytes: Uint8Array): void
  answerEnd(): void
  /** Ends it without a whole answer. Does nothing if the answer was whole already. */
  fail(reason: BrokenReason): void
  /** Settles it if its answer is whole already. */
  settleWhole(): void
}

/** How an exchange ended. */
export interface Answered {
  readonly answer: RecordedAnswer
  /** The whole answer as the loop got it. */
  readonly message: RecordedMessage | undefined
  readonly durationMs: number
  readonly firstByteMs: number | undefined
}

export interface OpenExchangeOptions {
  readonly clock: Clock
  readonly redactor: Redactor
  readonly budget: ByteBudget
  readonly maxBodyBytes: number
  /** Places the request in its run. Returns a function that takes the answer. */
  readonly place: (
    body: RequestBody,
    startedAt: number,
    betas: readonly string[] | undefined,
  ) => (end: Answered) => void
  readonly lose: (message: string, cause?: unknown) => void
  readonly onSettled: () => void
}

interface AnswerHead {
  readonly status: number
  readonly header: HeaderLookup
  readonly decode: (bytes: Uint8Array) => DecodedBody
}

// oxlint-disable-next-line max-lines-per-function -- short functions over one exchange
export function createOpenExchange(head: RequestHead, options: OpenExchangeOptions): OpenExchange {
  const { clock, redactor, budget, maxBodyBytes, place, lose, onSettled } = options
  const startedAt = clock.now()
  const request = holdBytes(maxBodyBytes, budget)
  const answer = holdBytes(maxBodyBytes, budget)
  let answerHead: AnswerHead | undefined
  let firstByteMs: number | undefined
  let take: ((end: Answered) => void) | undefined
  let messages = 0
  let settled = false
  for (const name of keyHeaders) {
    // Without the scheme, so that a key that stands alone is found as well.
    const key = head.header(name)?.replace(/^\w+\s+/, '')
    if (key !== undefined) redactor.addSecret(key)
  }

  const elapsed = (): number => Math.max(0, clock.now() - startedAt)

  /** Keeps an error in here from reaching the request that is recorded. */
  function guarded<Args extends readonly unknown[]>(step: (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      try {
        step(...args)
      } catch (cause) {
        lose('an exchange could not be recorded', cause)
        finish()
      }
    }
  }

  function finish(): void {
    if (settled) return
    settled = true
    request.release()
    answer.release()
    onSettled()
  }

  function readHead(brokenBy: BrokenReason | undefined): ReturnType<typeof readAnswer> {
    if (answerHead === undefined) return { answer: { kind: 'broken', reason: brokenBy ?? 'connection_failed' } }
    const { status, header, decode } = answerHead
    const bytes = answer.joined()
    const body = bytes === undefined ? 'too_large' : decode(bytes)
    if (typeof body === 'string') return { answer: { kind: 'broken', reason: body } }
    const contentType = header('content-type') ?? ''
    const retryAfter = header('retry-after')
    return readAnswer({ status, contentType, retryAfter, body, brokenBy }, redactor, messages)
  }

  function settle(brokenBy: BrokenReason | undefined, onlyWhole = false): void {
    if (settled || take === undefined) return
    const read = readHead(brokenBy)
    if (onlyWhole && read.message === undefined) return
    const end = { answer: read.answer, message: read.message, durationMs: elapsed(), firstByteMs }
    const taken = take
    finish()
    taken(end)
  }

  function endRequest(): void {
    if (settled || take !== undefined) return
    const bytes = request.joined()
    request.release()
    const body = bytes === undefined ? undefined : readBody(bytes)
    if (body === undefined) {
      lose(
        bytes === undefined
          ? 'a request is larger than maxBodyBytes or maxHeldBytes, so it is in no cassette'
          : 'a request is not one of the Messages API, so it is in no cassette',
      )
      finish()
      return
    }
    messages = body.messages.length
    take = place(body, startedAt, betasOf(head))
  }

  return {
    requestBytes: guarded((bytes) => request.add(bytes)),
    requestEnd: guarded(endRequest),
    answerHead: guarded((status, header, decode = (bytes) => bytes) => {
      answerHead = { status, header, decode }
    }),
    answerBytes: guarded((bytes) => {
      if (settled) return
      firstByteMs ??= elapsed()
      answer.add(bytes)
    }),
    answerEnd: guarded(() => {
      // An upstream may answer before the request has ended. It is then read as far as it came.
      endRequest()
      settle(undefined)
    }),
    fail: guarded((reason) => {
      settle(reason)
      finish()
    }),
    settleWhole: guarded(() => {
      if (answerHead !== undefined) settle('unfinished', true)
    }),
  }
}

function readBody(bytes: Uint8Array): RequestBody | undefined {
  const value = parseJson(new TextDecoder().decode(bytes))
  if (!isRecord(value)) return undefined
  const { messages, model, max_tokens: limit } = value
  const isAsked = typeof model === 'string' && model !== '' && Number.isSafeInteger(limit) && Number(limit) >= 1
  if (!isAsked || !isList(messages) || !messages.every(isMessage)) return undefined
  return { ...value, messages: messages.filter(isRecord) }
}

function isMessage(value: unknown): boolean {
  if (!isRecord(value) || typeof value['role'] !== 'string' || value['role'] === '') return false
  const { content } = value
  return typeof content === 'string' || (isList(content) && content.every((block) => isRecord(block) && isType(block)))
}

function isType({ type }: Readonly<Record<string, unknown>>): boolean {
  return typeof type === 'string' && type !== ''
}

function betasOf({ header, isBeta }: RequestHead): readonly string[] | undefined {
  const given = header('anthropic-beta')
  if (given === undefined) return isBeta ? [] : undefined
  // Names of betas are words. Anything else in the header may be private, and is not kept.
  return given
    .split(',')
    .map((beta) => beta.trim())
    .filter((beta) => /^[\w.-]{1,100}$/.test(beta))
}
