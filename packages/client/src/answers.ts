import type { CancelAnswer, RunSnapshotBody } from '@millrace/wire'

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isCancelAnswer(body: unknown): body is CancelAnswer {
  return isRecord(body) && typeof body['runId'] === 'string' && typeof body['cancelled'] === 'boolean'
}

export function isRunSnapshot(body: unknown): body is RunSnapshotBody {
  if (!isRecord(body)) return false
  const { runId, createdAt, closed, first, tail } = body
  return (
    typeof runId === 'string' &&
    typeof createdAt === 'number' &&
    typeof closed === 'boolean' &&
    typeof first === 'number' &&
    typeof tail === 'number'
  )
}
