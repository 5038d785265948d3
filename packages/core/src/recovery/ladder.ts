import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { MillraceError } from '../kit/errors.ts'
import { keptOfPartial, pendingServerCalls, withoutRefused } from '../reduce/history.ts'
import { isClientLimit } from '../protocol/faults.ts'
import type { Retraction } from '../protocol/retraction.ts'
import type { RecoveryPolicy } from './policy.ts'
import { salvage } from './salvage.ts'
import { mayAskAgain } from './server-tools.ts'

/** How a request is made: `collected` streams, but gives nothing before the end. */
export type Request = 'stream' | 'buffered' | 'collected'

/** How far a turn, or the pieces of one answer that was continued, has come down the ladder. */
export interface TurnFailures {
  /** Requests that streamed and broke. */
  readonly streams: number
  /** Requests that did not stream and failed. */
  readonly buffered: number
  /** Those of both that were answered with nothing at all. */
  readonly empty: number
}

/** The failures of a turn that has not been asked yet. */
export const noFailures: TurnFailures = { streams: 0, buffered: 0, empty: 0 }

/** Returns the failures of a turn with one more, of `request`. */
export function countFailure(
  { streams, buffered, empty }: TurnFailures,
  request: Request,
  error: MillraceError,
): TurnFailures {
  return {
    streams: request === 'stream' ? streams + 1 : streams,
    buffered: request === 'stream' ? buffered : buffered + 1,
    empty: error.code === 'empty_answer' ? empty + 1 : empty,
  }
}

/** Whether shown text stays, come what may. */
export function isBound(retraction: Retraction): boolean {
  return retraction === 'continue' || retraction === 'fail'
}

/** One broken attempt, and what may be done about it. */
export interface BrokenAttempt {
  readonly error: MillraceError
  readonly request: Request
  readonly blocks: readonly AccumulatedBlock[]
  /** This one included. */
  readonly failures: TurnFailures
  /** Whether text of the turn is shown that nothing can withdraw. */
  readonly boundByText: boolean
  /** Whether such text may be committed and continued. */
  readonly mayContinue: boolean
  /** Whether unfinished text stays where a turn is salvaged. */
  readonly keepPartialText: boolean
  /** Extra requests that the run may still make. */
  readonly extraRequests: number
  /** Whether the retry budget has room for one. */
  readonly hasRoom: boolean
}

export type NextStep =
  /** Commit `blocks` as the turn and answer its calls. */
  | { readonly type: 'salvage'; readonly blocks: readonly AccumulatedBlock[] }
  /** Commit `blocks` as what was said so far, and ask to go on. */
  | {
      readonly type: 'continue'
      readonly blocks: readonly AccumulatedBlock[]
      readonly request: Request
      readonly delay: number
      readonly isRescue: boolean
    }
  /** Ask the same again. `isRescue`: although the retry budget has no room, since the turn would fail otherwise. */
  | { readonly type: 'retry'; readonly request: Request; readonly delay: number; readonly isRescue: boolean }
  | { readonly type: 'fail'; readonly error: MillraceError }

/** Decides what follows a broken attempt: the recovery ladder, without its legacy rung, as one function. */
export function nextStep(broken: BrokenAttempt, policy: RecoveryPolicy, random: () => number): NextStep {
  const { error, blocks, failures, boundByText, mayContinue, keepPartialText, extraRequests, hasRoom } = broken
  const salvaged = salvage(blocks, { keepPartialText })
  if (salvaged !== undefined) return { type: 'salvage', blocks: salvaged }
  if (!error.retryable) return { type: 'fail', error }

  const request = nextRequest(broken, policy)
  if (request === undefined || extraRequests < 1) return { type: 'fail', error }
  const how = { request, delay: retryDelay(error, failures, policy, random), isRescue: !hasRoom }

  const content = blocks.map(({ block }) => block)
  const repeatable = mayAskAgain(policy.retryAfterServerTools, content)
  if (repeatable && !boundByText) return { type: 'retry', ...how }

  // The turn must not be asked again from its start: go on from what is whole, if that says all that has happened.
  const pending = pendingServerCalls(content)
  if (!mayAskAgain(policy.retryAfterServerTools, pending)) {
    return { type: 'fail', error: outcomeUnknown(error) }
  }
  // A call that could not be salvaged is not to be trusted; the model will make it again.
  const kept = keptOfPartial(blocks.filter(({ kind }) => kind !== 'tool_use'))
  if (boundByText && !mayContinue) return { type: 'fail', error: cannotRetract(error) }
  if (withoutRefused(kept).length === 0) return { type: 'fail', error: outcomeUnknown(error) }
  return { type: 'continue', blocks: kept, ...how }
}

/**
 * Returns the next rung that still has a try left. The retry budget bounds how often a turn is asked again, and not
 * whether it is: without room, a turn may still be asked once, without streaming. Otherwise a proxy that restarts, and
 * cuts all streams at one moment, would fail all runs beyond the budget.
 */
function nextRequest(broken: BrokenAttempt, policy: RecoveryPolicy): Request | undefined {
  const { request, failures, error, hasRoom } = broken
  const wasRescued = failures.buffered > (failures.streams === 0 ? 1 : 0)
  if (!hasRoom && wasRescued) return undefined
  const isEmpty = error.code === 'empty_answer'
  // Once may be a failure on the way. Twice, the model has nothing to say.
  if (isEmpty && failures.empty > 1) return undefined
  if (request === 'stream' && hasRoom && !isEmpty && failures.streams <= policy.streamRetries) return 'stream'
  if (failures.buffered > policy.bufferedRetries) return undefined
  // The HTTP client cannot wait long enough for an answer in one body (300 s for Node's fetch).
  if (request === 'collected' || (request === 'buffered' && isClientLimit(error.cause))) return 'collected'
  return 'buffered'
}

/** What the API asks for, within the cap; else exponential backoff with jitter. */
function retryDelay(
  error: MillraceError,
  failures: TurnFailures,
  policy: RecoveryPolicy,
  random: () => number,
): number {
  if (error.retryAfterMs !== undefined) return Math.min(error.retryAfterMs, policy.retryAfterCap)
  const exponent = failures.streams + failures.buffered - 1
  return Math.min(policy.backoff * 2 ** exponent, policy.maxBackoff) * (1 - 0.25 * random())
}

/** Server tools have run, and nobody can tell what they did. */
export function outcomeUnknown(cause?: MillraceError): MillraceError {
  return new MillraceError(
    'server_tool_outcome_unknown',
    'The stream broke while a server tool ran: asking again could repeat its effects',
    { cause },
  )
}

/** Returns the error of a run that would have to retract text, and must not. */
export function cannotRetract(cause?: unknown): MillraceError {
  return new MillraceError('cannot_retract', 'the answer broke off after text was shown that cannot be retracted', {
    cause,
  })
}
