import type { RunOutcome } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { CancelAnswer, RunSnapshotBody } from '@millrace/wire'

const outcomes: Readonly<Record<RunOutcome, true>> = {
  completed: true,
  failed: true,
  interrupted: true,
  limit: true,
  refused: true,
}

export function isCancelAnswer(body: unknown): body is CancelAnswer {
  return isRecord(body) && typeof body['runId'] === 'string' && typeof body['cancelled'] === 'boolean'
}

export function isRunSnapshot(body: unknown): body is RunSnapshotBody {
  if (!isRecord(body)) return false
  const { runId, createdAt, closed, first, tail, sessionId, cancelled, outcome, metadata } = body
  return (
    typeof runId === 'string' &&
    typeof createdAt === 'number' &&
    typeof closed === 'boolean' &&
    typeof first === 'number' &&
    typeof tail === 'number' &&
    (sessionId === undefined || typeof sessionId === 'string') &&
    (cancelled === undefined || typeof cancelled === 'string') &&
    (outcome === undefined || isOutcome(outcome)) &&
    (metadata === undefined || isRecord(metadata))
  )
}

function isOutcome(value: unknown): value is RunOutcome {
  return typeof value === 'string' && Object.hasOwn(outcomes, value)
}
