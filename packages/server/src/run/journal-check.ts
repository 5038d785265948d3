import { MillraceError, type RunResult } from '@millrace/core'
import type { Hooks } from '../operator/hooks.ts'
import type { Runs } from '../operator/stores.ts'

/**
 * Looks once, after the first run that came to a good end, whether the agent writes its runs where the handler reads them.
 * Where it does not, everything streams, and only a client that comes back finds nothing.
 */
export function createJournalCheck(runs: Runs, hooks: Hooks): (result: RunResult) => void {
  let isDone = false

  async function check(runId: string): Promise<void> {
    try {
      if (await runs.snapshot(runId)) return
      const message =
        'runs: the agent does not write its runs there; give it `journal: runJournal(runs)` with the same store'
      hooks.report(new MillraceError('invalid_option', message, { path: 'runs' }), { runId, source: 'runs' })
    } catch {
      // That the store is away was reported where it was asked.
    }
  }

  return ({ runId, outcome }) => {
    if (isDone || outcome !== 'completed') return
    isDone = true
    void check(runId)
  }
}
