import type { RunLease, RunOutcome, RunRecord, RunSnapshot, RunStore } from '@millrace/core'
import { createBell, defined } from '@millrace/core/kit'
import { appendTo, runFull } from './append.ts'
import type { Context } from './context.ts'
import { acquireRun, awaitCancel, cancelRun, createRun, describeRun, discardRun, renewRun } from './lua/runs.ts'
import { createOpenRuns } from './open-runs.ts'
import { readFrom } from './read.ts'
import { createRunLists, namedOf } from './run-lists.ts'

export function runStore(context: Context): RunStore {
  return {
    durable: true,
    ...leaseMethods(context),
    append: (...args) => appendTo(context, ...args),
    read: (...args) => readFrom(context, ...args),
    snapshot: (runId) => snapshotOf(context, runId),
    ...cancelMethods(context),
  }
}

function leaseMethods(
  context: Context,
): Pick<RunStore, 'create' | 'acquire' | 'renew' | 'abandoned' | 'list' | 'delete'> {
  const { commands, keys, settings } = context
  const { clock, newId, retention, limits } = settings
  const openRuns = createOpenRuns(context)
  const lists = createRunLists(context, openRuns)

  return {
    async create(record, leaseMs) {
      const json = JSON.stringify(record)
      if (Buffer.byteLength(json) > limits.runBytes) throw runFull(limits.runBytes)
      const { runId } = record
      const token = newId()
      try {
        // Into the index first: a run that nobody could find would stay open for as long as it is kept.
        await openRuns.add(runId, leaseMs)
        const args = [token, String(leaseMs), String(retention.recordMs), json, JSON.stringify(namedOf(record))]
        const [status, ...lease] = await commands.run(createRun, keys.run(runId), args)
        if (status !== 'acquired') return { status: 'exists' }
        await lists.add(record)
        return { status, ...leaseFrom(lease) }
      } catch (error) {
        // Its caller is told that there is no run. What reaches Redis late would be taken over as one that was abandoned.
        commands.run(discardRun, keys.run(runId), [token]).catch(() => {})
        throw error
      }
    },
    async acquire(runId, leaseMs) {
      const args = [newId(), String(leaseMs), String(retention.recordMs)]
      const [status, ...rest] = await commands.run(acquireRun, keys.run(runId), args)
      if (status === 'acquired') return { status, ...leaseFrom(rest) }
      if (status === 'held') return { status, expiresAt: clock.now() + Number(rest[0]) }
      return { status: status === 'closed' ? 'closed' : 'not_found' }
    },
    async renew(runId, fence, leaseMs) {
      const args = [String(fence), String(leaseMs), String(retention.recordMs)]
      const [status, cancelled] = await commands.run(renewRun, keys.run(runId), args)
      if (status === 'fenced' || status === 'closed') return { status }
      if (status !== 'renewed') return { status: 'not_found' }
      if (leaseMs === 0) await openRuns.add(runId, leaseMs)
      return { status, ...defined({ cancelled }) }
    },
    abandoned: (limit) => openRuns.abandoned(limit),
    list: (query) => lists.list(query),
    delete: (runId) => lists.delete(runId),
  }
}

function cancelMethods({ commands, keys, notifications, settings }: Context): Pick<RunStore, 'cancel' | 'cancelled'> {
  return {
    async cancel(runId, reason) {
      const [answer] = await commands.run(cancelRun, keys.run(runId), [reason, keys.cancelChannel(runId)])
      return answer === 'cancelled'
    },
    async cancelled(runId, signal) {
      const bell = createBell(settings.clock)
      const stop = notifications.listen(keys.cancelChannel(runId), () => bell.ring())
      try {
        while (!signal.aborted) {
          // While Redis is away nobody can ask; once it is back, the subscription rings.
          const asked = commands.run(awaitCancel, keys.run(runId), [])
          const [state, cancelled] = await asked.catch(() => ['unknown'])
          if (state === 'over' || cancelled !== undefined) return cancelled
          await bell.wait(signal)
        }
        return undefined
      } finally {
        stop()
      }
    },
  }
}

async function snapshotOf({ commands, keys }: Context, runId: string): Promise<RunSnapshot | undefined> {
  const [json, seq, events, close = '', cancelled] = await commands.run(describeRun, keys.run(runId), [])
  if (json === undefined) return undefined
  const record: RunRecord = JSON.parse(json)
  const tail = Number(seq)
  const first = events === 'kept' ? 1 : tail + 1
  const closed = close !== ''
  const snapshot: RunSnapshot = { record, tail, closed, first, ...defined({ cancelled }) }
  if (!closed) return snapshot
  const { outcome }: { readonly outcome: RunOutcome } = JSON.parse(close)
  return { ...snapshot, outcome }
}

function leaseFrom([fence, tail, cancelled]: readonly string[]): RunLease {
  return { fence: Number(fence), tail: Number(tail), ...defined({ cancelled }) }
}
