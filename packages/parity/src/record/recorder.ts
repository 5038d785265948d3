import { type Clock, systemClock } from '@millrace/core'
import {
  type BrokenReason,
  type Cassette,
  cassetteFormat,
  cassetteVersion,
  type Exchange,
  type RequestBody,
} from '../cassette/cassette.ts'
import { isParityError, ParityError } from '../kit/errors.ts'
import type { JsonObject } from '../kit/json.ts'
import { tell } from '../kit/tell.ts'
import { createRedactor, type Redactor } from '../redaction/redactor.ts'
import { checkRecorderOptions } from './recorder-options.ts'
import { createByteBudget } from './held-bytes.ts'
import { type Answered, createOpenExchange, type OpenExchange, type RequestHead } from './open-exchange.ts'
import { findRun, goesOn, isUnfinished, type LastExchange, rememberAnswer, rememberRequest } from './open-runs.ts'
import { addedMessages } from './kept-messages.ts'

/**
 * Where cassettes go. `write` is called again with the same id as the run goes on, and replaces what it wrote before.
 * There is one call at a time. `signal` aborts when the caller of `close` waits no longer.
 */
export interface CassetteSink {
  write(cassette: Cassette, signal: AbortSignal): Promise<void>
}

export interface RecorderOptions {
  readonly sink: CassetteSink
  /** Paths of fields that are redacted, such as `messages.*.content.*.text`. Default: none. */
  readonly redact?: readonly string[]
  /** Texts that are redacted everywhere, of at least 8 characters each. The keys of requests always are. */
  readonly secrets?: readonly string[]
  /** Bytes of one body. An exchange with a larger one is recorded as `too_large`. Default: 32 MiB. */
  readonly maxBodyBytes?: number
  /** Bytes of all bodies that are held at once. Default: 256 MiB. */
  readonly maxHeldBytes?: number
  /**
   * Runs that are remembered while they wait for their next request. The longest idle one goes first. Default: 1,000.
   */
  readonly maxOpenRuns?: number
  /** Called with what could not be recorded. Recording never fails a request. */
  readonly onProblem?: (problem: ParityError) => void
  /** The beginning of the ids of the runs, and so of file names. Default: the time of the start and a random part. */
  readonly recordingId?: string
  readonly clock?: Clock
}

export interface RecorderStats {
  /** Runs that have begun. */
  readonly runs: number
  /** Exchanges that were recorded, including failed ones. */
  readonly exchanges: number
  /** Of those, the ones without an answer: an error of the API, or an answer that broke off. */
  readonly failed: number
  /** Exchanges that are in no cassette, or whose answer is not. */
  readonly lost: number
}

/** Turns the HTTP traffic of a loop into cassettes. */
export interface Recorder {
  /** Begins to record a request to the Messages API. */
  open(head: RequestHead): OpenExchange
  readonly stats: RecorderStats
  /**
   * Records what is still open as unfinished, and resolves when everything is written or lost. May be called again.
   * `signal` is passed on to the sink.
   */
  close(signal?: AbortSignal): Promise<void>
}

interface OpenRun {
  readonly id: string
  last: LastExchange
  /** The redacted messages of the last request. */
  messages: readonly unknown[]
  readonly exchanges: (Exchange | undefined)[]
  /** What it holds of the budget. */
  bytes: number
}

/**
 * Creates a recorder. It tells runs apart by what requests say, however many run at once: one that answers a run's
 * calls, or repeats a request of it that failed, belongs to that run.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
// oxlint-disable-next-line max-lines-per-function -- short functions over the runs of one recording
export function createRecorder(options: RecorderOptions): Recorder {
  checkRecorderOptions(options)
  const { sink, redact = [], onProblem, clock = systemClock } = options
  const { maxBodyBytes = 32 * 1024 * 1024, maxHeldBytes = 256 * 1024 * 1024, maxOpenRuns = 1_000 } = options
  const redactor: Redactor = createRedactor(redact, options.secrets)
  const recordingId = options.recordingId ?? makeRecordingId(clock.now())
  const budget = createByteBudget(maxHeldBytes)
  const runs = new Map<string, OpenRun>()
  const opened = new Set<OpenExchange>()
  const unwritten = new Map<string, OpenRun>()
  const stats = { runs: 0, exchanges: 0, failed: 0, lost: 0 }
  const stop = new AbortController()
  let writing: Promise<void> = Promise.resolve()
  let isWriting = false

  const report = (problem: ParityError): void => tell(onProblem, problem)
  const lose = (message: string, cause?: unknown): void => {
    stats.lost++
    report(new ParityError('not_recorded', message, cause === undefined ? {} : { cause }))
  }

  async function writeAll(): Promise<void> {
    for (const [id, run] of unwritten) {
      unwritten.delete(id)
      const exchanges = run.exchanges.filter((exchange) => exchange !== undefined)
      if (exchanges.length === 0) continue
      try {
        // One after the other, so that two writes of one file do not overtake each other.
        await sink.write(
          { format: cassetteFormat, version: cassetteVersion, id, redacted: redact, exchanges },
          stop.signal,
        )
      } catch (cause) {
        stats.lost++
        report(
          isParityError(cause) ? cause : new ParityError('write_failed', `run ${id} could not be written`, { cause }),
        )
      }
    }
    isWriting = false
  }

  const plan = (run: OpenRun): void => {
    unwritten.set(run.id, run)
    if (isWriting) return
    isWriting = true
    writing = writing.then(writeAll)
  }

  function startRun(last: LastExchange): OpenRun {
    stats.runs++
    const id = `${recordingId}-${String(stats.runs).padStart(4, '0')}`
    const run: OpenRun = { id, last, messages: [], exchanges: [], bytes: 0 }
    runs.set(id, run)
    for (const idle of runs.values()) {
      if (runs.size <= maxOpenRuns) break
      forget(idle)
    }
    return run
  }

  /** Takes no further request for this run. What it has recorded is written, or is about to be. */
  function forget(run: OpenRun): void {
    runs.delete(run.id)
    budget.give(run.bytes)
    run.bytes = 0
  }

  /** Keeps an exchange with its run, in place of runs that have been idle for longer. */
  function hold(run: OpenRun, exchange: Exchange): void {
    if (!runs.delete(run.id)) return
    const bytes = JSON.stringify(exchange).length
    let taken = budget.take(bytes)
    for (const idle of runs.values()) {
      if (taken) break
      forget(idle)
      taken = budget.take(bytes)
    }
    if (!taken) {
      forget(run)
      lose('a run is larger than maxHeldBytes; the rest of it is recorded as another run')
      return
    }
    run.bytes += bytes
    // A map keeps its order, so this run is the latest from now on.
    runs.set(run.id, run)
  }

  /**
   * Finds the run again after its open answers were settled: a client may ask on before the connection of its last
   * answer has ended.
   */
  function findLate(messages: readonly JsonObject[]): OpenRun | undefined {
    // Only for a request that must follow an answer, since it looks at every answer that is under way.
    if (!goesOn(messages)) return undefined
    for (const other of opened) other.settleWhole()
    return findRun(runs.values(), messages)
  }

  /** Places a request in its run. Returns a function that takes its answer. */
  function place(body: RequestBody, startedAt: number, betas: readonly string[] | undefined): (end: Answered) => void {
    const last = rememberRequest(body.messages)
    const run = findRun(runs.values(), body.messages) ?? findLate(body.messages) ?? startRun(last)
    const redacted = redactor.request(body)
    const { messages, kept, added } = addedMessages(run.messages, redacted)
    run.last = last
    run.messages = messages
    const index = run.exchanges.push(undefined) - 1
    return ({ answer, message, durationMs, firstByteMs }) => {
      rememberAnswer(last, answer, message)
      const exchange: Exchange = {
        startedAt,
        ...(firstByteMs !== undefined && { firstByteMs }),
        durationMs,
        request: { ...(betas !== undefined && { betas }), kept, body: { ...redacted, messages: added } },
        answer,
      }
      run.exchanges[index] = exchange
      hold(run, exchange)
      stats.exchanges++
      if (answer.kind === 'error' || answer.kind === 'broken') stats.failed++
      if (answer.kind === 'broken' && isLoss(answer.reason)) lose(`an answer is ${lossText[answer.reason]}`)
      const isOver = (answer.kind === 'message' || answer.kind === 'stream') && !isUnfinished(message?.stop_reason)
      if (isOver && run.last === last) forget(run)
      plan(run)
    }
  }

  return {
    get stats() {
      return { ...stats }
    },
    open(head) {
      const exchange = createOpenExchange(head, {
        clock,
        redactor,
        budget,
        maxBodyBytes,
        place,
        lose,
        onSettled: () => opened.delete(exchange),
      })
      opened.add(exchange)
      return exchange
    },
    async close(signal) {
      const onAbort = (): void => stop.abort(signal?.reason)
      if (signal?.aborted === true) onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        for (const exchange of opened) exchange.fail('unfinished')
        await writing
      } finally {
        signal?.removeEventListener('abort', onAbort)
      }
    },
  }
}

/** Returns an id that differs between processes that start at the same time and record into one folder. */
function makeRecordingId(now: number): string {
  return `${new Date(now).toISOString().replaceAll(/[:.]/g, '')}-${crypto.randomUUID().slice(0, 8)}`
}

const lossText = {
  too_large: 'larger than maxBodyBytes or maxHeldBytes, so it is not in its cassette',
  unreadable: 'not one of the Messages API, so it is not in its cassette',
} as const

function isLoss(reason: BrokenReason): reason is keyof typeof lossText {
  return Object.hasOwn(lossText, reason)
}
