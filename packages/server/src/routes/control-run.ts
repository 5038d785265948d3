import type { RunSnapshot } from '@millrace/core'
import { type CancelAnswer, parseCancel, type RunSnapshotBody } from '@millrace/wire'
import { findRun } from './follow-run.ts'
import { readBody } from './read-body.ts'
import { askStore } from './store-call.ts'
import type { Exchange } from './services.ts'
import { jsonResponse } from './stream-run.ts'

/** `POST /runs/:id/cancel`: wherever the run is, and whoever drives it. */
export async function cancelRun(exchange: Exchange, runId: string): Promise<Response> {
  const { settings, live, request, runtime, uploadPlaces } = exchange
  const leave = uploadPlaces.take(undefined)
  try {
    const { bodyLimit, bodyTimeout } = settings
    const body = await readBody(request, { bodyLimit, bodyTimeout, clock: runtime.clock })
    const { reason = 'user' } = parseCancel(body)
    await findRun(exchange, runId)
    // The store first: what is only said to this process is lost with it.
    const cancelled = await askStore(settings.runs.cancel(runId, reason))
    live.get(runId)?.run.interrupt(reason)
    const answer: CancelAnswer = { runId, cancelled }
    return jsonResponse(answer)
  } finally {
    leave()
  }
}

/** `GET /runs/:id`: the run as it stands. */
export async function describeRun(exchange: Exchange, runId: string): Promise<Response> {
  return jsonResponse(snapshotBody(await findRun(exchange, runId)))
}

function snapshotBody({ record, tail, closed, outcome, cancelled, first }: RunSnapshot): RunSnapshotBody {
  const { runId, sessionId, createdAt, metadata } = record
  return {
    runId,
    createdAt,
    closed,
    first,
    tail,
    ...(sessionId !== undefined && { sessionId }),
    ...(outcome !== undefined && { outcome }),
    ...(cancelled !== undefined && { cancelled }),
    ...(metadata !== undefined && { metadata }),
  }
}
