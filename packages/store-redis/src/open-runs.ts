import type { Context } from './context.ts'
import { dueRuns, indexRun, leaseOf, settleIndex } from './lua/runs.ts'

/**
 * The index of open runs. It may have runs that have ended or were renewed, and never lacks one that is open: whoever
 * looks asks the run itself, and puts the index right. So neither a renewal nor a close has to write to it.
 */
export interface OpenRuns {
  add(runId: string, leaseMs: number): Promise<void>
  drop(runId: string): Promise<void>
  abandoned(limit: number): Promise<readonly string[]>
}

/** Entries looked at in one step, and at once. */
const pageSize = 64

/** Milliseconds that an entry without a run is left alone: its run may be about to be stored. */
const unknownGrace = 300_000

interface Entry {
  readonly runId: string
  readonly score: number
}

interface Abandoned {
  readonly runId: string
  readonly leaseEnds: number
}

export function createOpenRuns({ commands, keys }: Context): OpenRuns {
  const { openRuns } = keys

  async function due(skip: number): Promise<{ readonly now: number; readonly entries: readonly Entry[] }> {
    const [now, ...pairs] = await commands.run(dueRuns, [openRuns], [String(skip), String(pageSize)])
    const ids = pairs.filter((_, index) => index % 2 === 0)
    const entries = ids.map((runId, index) => ({ runId, score: Number(pairs[index * 2 + 1]) }))
    return { now: Number(now), entries }
  }

  /** Undefined where the run is not abandoned; `isLeft` says whether its entry is still among those that are due. */
  async function look(
    { runId, score }: Entry,
    now: number,
  ): Promise<{ readonly found?: Abandoned; readonly isLeft: boolean }> {
    const [status, leaseEnds = ''] = await commands.run(leaseOf, keys.run(runId), [])
    if (status === 'abandoned') return { found: { runId, leaseEnds: Number(leaseEnds) }, isLeft: true }
    if (status === 'not_found' && score + unknownGrace > now) return { isLeft: true }
    await commands.run(settleIndex, [openRuns], [runId, status === 'held' ? leaseEnds : ''])
    return { isLeft: false }
  }

  return {
    async add(runId, leaseMs) {
      await commands.run(indexRun, [openRuns], [String(leaseMs), runId])
    },
    async drop(runId) {
      await commands.run(settleIndex, [openRuns], [runId, ''])
    },
    async abandoned(limit) {
      const found: Abandoned[] = []
      let skip = 0
      while (found.length < limit) {
        const { now, entries } = await due(skip)
        const looked = await Promise.all(entries.map((entry) => look(entry, now)))
        skip += looked.filter(({ isLeft }) => isLeft).length
        found.push(...looked.flatMap(({ found: run }) => (run === undefined ? [] : [run])))
        if (entries.length < pageSize) break
      }
      return found
        .sort((a, b) => a.leaseEnds - b.leaseEnds)
        .slice(0, limit)
        .map(({ runId }) => runId)
    },
  }
}
