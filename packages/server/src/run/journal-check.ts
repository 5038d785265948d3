import { MillraceError, type RunResult, type RunStore } from '@millrace/core'

/**
 * Looks once, after the first run that came to a good end, whether the agent writes its runs where the handler reads them.
 * Where it does not, everything streams, and only who comes back finds nothing.
 */
export function createJournalCheck(runs: RunStore, onError: (error: unknown) => void): (result: RunResult) => void {
  let isDone = false
  return ({ runId, outcome }) => {
    if (isDone || outcome !== 'completed') return
    isDone = true
    runs.snapshot(runId).then(
      (snapshot) => {
        if (!snapshot) onError(missing())
      },
      // That the store is away is told to whoever asks for a run.
      () => undefined,
    )
  }
}

function missing(): MillraceError {
  const message =
    'runs: the agent does not write its runs there; give it `journal: runJournal(runs)` with the same store'
  return new MillraceError('invalid_option', message, { path: 'runs' })
}
