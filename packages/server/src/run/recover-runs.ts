import { isMillraceError, type RunSnapshot } from '@millrace/core'
import { refuse, withMethods } from '@millrace/core/kit'
import { reclaimSession, type RunSession } from '../session/run-session.ts'
import type { RecoverReport, Services } from './services.ts'

/** How many abandoned runs are looked at in one go; what is left is there for the next one, and for other instances. */
const batchSize = 100

/** Whether agent and store can take runs over at all. */
export function canRecover({ settings }: Pick<Services, 'settings'>): boolean {
  return settings.agent.resume !== undefined && settings.runs.durable
}

/**
 * Takes over the runs that nobody drives any more, `recover.concurrency` at a time. Reports what fails for one run, and
 * leaves that run to the next call.
 *
 * @throws MillraceError `invalid_option` where agent or store cannot do that at all
 * @throws ProblemError `store_unavailable` where the store could not list them
 */
export async function recoverRuns(services: Services): Promise<RecoverReport> {
  const { settings, runs } = services
  if (settings.agent.resume === undefined)
    refuse('agent', 'must be one that can resume runs, such as one of createAgent, for runs to be taken over')
  withMethods('abandoned')(settings.runs, 'runs')
  const resumed: string[] = []
  const queue = (await runs.abandoned(batchSize)).values()
  const worker = async (): Promise<void> => {
    for (const runId of queue) if (await recoverRun(services, runId)) resumed.push(runId)
  }
  await Promise.all(Array.from({ length: settings.recover.concurrency }, worker))
  return { resumed }
}

/** Takes a run over, if nobody drives it. Reports what fails, wrong options excepted. */
export async function recoverRun(services: Services, runId: string): Promise<boolean> {
  const { live, hooks, shutdown } = services
  // One of our own, whose lease could not be renewed for a while: taken over, it would be lost to itself.
  if (shutdown.hasBegun || live.get(runId)) return false
  try {
    return await takeOver(services, runId)
  } catch (error) {
    if (isMillraceError(error, 'invalid_option')) throw error
    hooks.report(error, { runId, source: 'recover' })
    return false
  }
}

/** False where another instance was faster, or as many runs as are allowed are under way here. */
async function takeOver(services: Services, runId: string): Promise<boolean> {
  const { settings, runs, live, limits, checkJournal } = services
  const snapshot = await runs.snapshot(runId)
  if (!snapshot || snapshot.closed) return false
  const { owner } = snapshot.record
  const end = begun(() => limits.runs.begin({ owner, address: undefined }))
  if (!end) return false
  try {
    const taken = await settings.agent.resume?.(runId, owner === undefined ? {} : { user: owner })
    if (taken?.status !== 'resumed') {
      end()
      return false
    }
    // With the run's lease in hand nobody else reclaims the session for it.
    const session = reclaim(services, snapshot)
    live.add(taken.run, owner, async (result) => {
      await (await session)?.settle(result)
      end()
      checkJournal(result)
    })
    return true
  } catch (error) {
    end()
    throw error
  }
}

function begun(begin: () => () => void): (() => void) | undefined {
  try {
    return begin()
  } catch {
    return undefined
  }
}

/** Never rejects: without its session a run is finished all the same, for those that follow it. */
async function reclaim(
  { settings, sessions, runtime, hooks }: Services,
  { record }: RunSnapshot,
): Promise<RunSession | undefined> {
  const { runId, sessionId } = record
  if (sessions === undefined || sessionId === undefined) return undefined
  const { clock } = runtime
  try {
    return await reclaimSession({ sessions, sessionId, runId, claimMs: settings.sessionClaim, clock, hooks })
  } catch (error) {
    hooks.report(error, { runId, source: 'recover' })
    return undefined
  }
}
