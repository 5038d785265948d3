import { isMillraceError, type RunSnapshot } from '@millrace/core'
import { checkMethods, refuse } from './check.ts'
import { reclaimSession, type RunSession } from './run-session.ts'
import type { Services } from './services.ts'

/** How many abandoned runs are looked at in one go; what is left is there for the next one, and for other instances. */
const batchSize = 100

export interface RecoverReport {
  /** The ids of the runs that this call has taken over. They go on from here, and may have ended since. */
  readonly resumed: readonly string[]
}

/**
 * Takes over the runs that nobody drives any more. What fails for one run is reported, and leaves it to the next call.
 *
 * @throws MillraceError `invalid_option` where agent or store cannot do that at all
 */
export async function recoverRuns(services: Services): Promise<RecoverReport> {
  const { settings, live, isDraining } = services
  const { agent, runs, onError } = settings
  if (agent.resume === undefined) refuse('agent', 'must be one that createAgent gave, for runs to be taken over')
  checkMethods(runs, 'runs', ['abandoned'])
  const resumed: string[] = []
  const report = (error: unknown, info = {}): readonly string[] => {
    onError(error, info)
    return []
  }
  for (const runId of await runs.abandoned(batchSize).catch(report)) {
    if (isDraining()) break
    // One of our own, whose lease could not be renewed for a while: taken over, it would be lost to itself.
    if (live.get(runId)) continue
    try {
      if (await takeOver(services, runId)) resumed.push(runId)
    } catch (error) {
      if (isMillraceError(error, 'invalid_option')) throw error
      report(error, { runId })
    }
  }
  return { resumed }
}

/** False where another instance was faster, or there is no place for the run here now. */
async function takeOver(services: Services, runId: string): Promise<boolean> {
  const { settings, live, runPlaces, checkJournal } = services
  const { agent, runs } = settings
  const snapshot = await runs.snapshot(runId)
  if (!snapshot || snapshot.closed) return false
  const { owner } = snapshot.record
  const leave = placeFor(() => runPlaces.take(owner))
  if (!leave) return false
  try {
    const taken = await agent.resume?.(runId, owner === undefined ? {} : { user: owner })
    if (taken?.status !== 'resumed') {
      leave()
      return false
    }
    // With the run's lease in hand nobody else reclaims the session for it.
    const session = reclaim(services, snapshot)
    live.add(taken.run, owner, async (result) => {
      await (await session)?.settle(result)
      leave()
      checkJournal(result)
    })
    return true
  } catch (error) {
    leave()
    throw error
  }
}

function placeFor(take: () => () => void): (() => void) | undefined {
  try {
    return take()
  } catch {
    return undefined
  }
}

/** Never rejects: without its session a run is finished all the same, for those that follow it. */
async function reclaim({ settings, runtime }: Services, { record }: RunSnapshot): Promise<RunSession | undefined> {
  const { sessions, sessionClaim, onError } = settings
  const { runId, sessionId } = record
  if (sessions === undefined || sessionId === undefined) return undefined
  const report = (error: unknown): void => onError(error, { runId })
  try {
    return await reclaimSession({
      sessions,
      sessionId,
      runId,
      claimMs: sessionClaim,
      clock: runtime.clock,
      onError: report,
    })
  } catch (error) {
    report(error)
    return undefined
  }
}
