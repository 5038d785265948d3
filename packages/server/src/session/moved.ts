import type { RunResult } from '@millrace/core'

/** Whether another process goes on with the run. */
export function isMoved({ error }: RunResult): boolean {
  return error?.code === 'run_moved'
}
