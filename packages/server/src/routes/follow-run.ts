import { isMillraceError, type RunSnapshot } from '@millrace/core'
import { wait } from '@millrace/core/kit'
import { type CursorSource, parseCursor, runIdHeader } from '@millrace/wire'
import { ProblemError, shutDownProblem } from '../http/problem.ts'
import { notFound } from '../http/routes.ts'
import { hasCursor } from '../response/encoders.ts'
import { untilSettled } from '../response/until-settled.ts'
import { resultFromEvents } from '../run/run-result.ts'
import type { Exchange } from '../run/services.ts'
import { readWanted, respondWith, type Wanted } from './wanted.ts'

/** How long, in milliseconds, events that a client has seen may take to reach the store, and how often to look. */
const behind = { within: 1_000, every: 25 }

/** `GET /runs/:id/events`: what comes after the cursor, stored and to come. */
export async function followRun(exchange: Exchange, runId: string): Promise<Response> {
  const wanted = readWanted(exchange)
  const { cursor, source } = readCursor(exchange)
  if (source === 'after' && cursor > 0 && !hasCursor(wanted.format)) {
    const detail = 'This format has no cursor: leave `after` out, and it begins with the first event'
    throw new ProblemError('invalid_cursor', detail, { path: source })
  }
  const snapshot = await findRun(exchange, runId)
  return follow(exchange, snapshot, wanted, hasCursor(wanted.format) ? cursor : 0)
}

/** @throws ProblemError `invalid_cursor` */
function readCursor({ url, request }: Exchange): { readonly cursor: number; readonly source: CursorSource } {
  const after = url.searchParams.get('after')
  const source = after === null ? 'Last-Event-ID' : 'after'
  try {
    return { cursor: parseCursor(after ?? request.headers.get('last-event-id'), source), source }
  } catch (error) {
    if (!isMillraceError(error)) throw error
    throw new ProblemError('invalid_cursor', error.message, { path: source })
  }
}

/** Returns the run, if it exists and is the caller's. @throws ProblemError `not_found`, `store_unavailable` */
export async function findRun(exchange: Exchange, runId: string): Promise<RunSnapshot> {
  const { runs, caller, live } = exchange
  let snapshot = await runs.snapshot(runId)
  // A client may come back before the run that it has just started here has reached the store.
  for (let waited = 0; !snapshot && live.get(runId) && waited < behind.within; waited += behind.every) {
    await pause(exchange)
    snapshot = await runs.snapshot(runId)
  }
  // The same answer for a run that is somebody else's: whether it exists is theirs to know.
  if (!snapshot || snapshot.record.owner !== caller.owner)
    throw notFound('There is no such run, or none that you may see')
  return snapshot
}

/** @throws ProblemError `cursor_ahead`, `events_gone`, `too_many_runs`, `shutting_down`, `store_unavailable` */
export async function follow(
  exchange: Exchange,
  found: RunSnapshot,
  { format, rawContent }: Wanted,
  cursor: number,
): Promise<Response> {
  const { runs, live, caller, limits, shutdown, recovery } = exchange
  if (shutdown.isClosed) throw shutDownProblem()
  const { runId, retraction } = found.record
  if (!found.closed) recovery.takeUp(runId)
  const snapshot = await catchUp(exchange, found, cursor)
  refuseUnreadable(cursor, snapshot)
  if (snapshot.closed && cursor === snapshot.tail && format !== 'json') {
    // Where nothing will come any more; it makes an EventSource stop asking.
    return new Response(null, { status: 204, headers: { [runIdHeader]: runId } })
  }
  const end = limits.followers.begin(caller)
  const leaving = new AbortController()
  const batches = () =>
    untilSettled(runs.read(runId, cursor, leaving.signal), {
      settled: () => live.get(runId)?.settled,
      isLeaving: () => shutdown.hasBegun,
    })
  return respondWith(
    exchange,
    { runId, batches, result: () => resultFromEvents(batches()) },
    {
      kind: 'follower',
      format,
      rawContent,
      uiMessageStream: { resets: retraction !== 'continue' },
      onEnd() {
        leaving.abort()
        end()
      },
    },
  )
}

/** @throws ProblemError `cursor_ahead`, `events_gone` */
function refuseUnreadable(cursor: number, { tail, first }: RunSnapshot): void {
  if (cursor > tail) {
    const why = 'it is of another run, or a crash has lost what came after'
    throw new ProblemError(
      'cursor_ahead',
      `The cursor is ${cursor}, and the run has ${tail} events: ${why}. Follow from the start, without a cursor`,
    )
  }
  if (cursor + 1 < first) {
    const detail = `The events from ${cursor + 1} to ${first - 1} have expired: follow from the start, without a cursor`
    throw new ProblemError('events_gone', detail)
  }
}

/** A client may have seen events, live, that the store gets within a moment: deltas are stored in groups. */
async function catchUp(exchange: Exchange, found: RunSnapshot, cursor: number): Promise<RunSnapshot> {
  let snapshot = found
  for (let waited = 0; isBehind(snapshot, cursor) && waited < behind.within; waited += behind.every) {
    await pause(exchange)
    snapshot = (await exchange.runs.snapshot(found.record.runId)) ?? snapshot
  }
  return snapshot
}

function pause({ runtime, request }: Exchange): Promise<void> {
  return wait(runtime.clock, behind.every, request.signal)
}

function isBehind({ tail, closed }: RunSnapshot, cursor: number): boolean {
  return !closed && cursor > tail
}
