import type { RunSnapshot } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { type CancelAnswer, parseCancel, type RunSnapshotBody } from '@millrace/wire'
import { refuseCrossSite } from '../http/cross-site.ts'
import { parseBody, ProblemError } from '../http/problem.ts'
import { isOperator } from '../operator/caller.ts'
import { jsonResponse } from '../response/result-encoder.ts'
import type { Exchange } from '../run/services.ts'
import { findRun } from './follow-run.ts'
import { readUpload } from './upload.ts'

/** `POST /runs/:id/cancel`: stops a run, wherever it is driven. */
export async function cancelRun(exchange: Exchange, runId: string): Promise<Response> {
  refuseCrossSite(exchange.request)
  const body = await readUpload(exchange)
  const { reason = 'user' } = parseBody(() => parseCancel(body))
  await findCancellable(exchange, runId)
  // The store first: what is only said to this process is lost with it.
  const cancelled = await exchange.runs.cancel(runId, reason)
  exchange.live.get(runId)?.run.interrupt(reason)
  const answer: CancelAnswer = { runId, cancelled }
  return jsonResponse(answer)
}

/** Checks that the run is the caller's, or that an operator asks. @throws ProblemError */
async function findCancellable(exchange: Exchange, runId: string): Promise<void> {
  try {
    await findRun(exchange, runId)
  } catch (error) {
    const { settings, hooks, request, runs } = exchange
    const isHidden = error instanceof ProblemError && error.code === 'not_found'
    if (!isHidden || !(await isOperator(settings, hooks, request)) || !(await runs.snapshot(runId))) throw error
  }
}

/** `GET /runs/:id`: the run as it stands. */
export async function describeRun(exchange: Exchange, runId: string): Promise<Response> {
  return jsonResponse(snapshotBody(await findRun(exchange, runId)))
}

function snapshotBody({ record, tail, closed, outcome, cancelled, first }: RunSnapshot): RunSnapshotBody {
  const { runId, sessionId, createdAt, metadata } = record
  return { runId, createdAt, closed, first, tail, ...defined({ sessionId, outcome, cancelled, metadata }) }
}
