import type { ChildProcess } from 'node:child_process'
import type { Clock } from '@millrace/core'
import { timeLimit } from '@millrace/core/kit'

/** A child started with `detached: true`, and all its descendants that have not left its process group. */
export interface ProcessGroup {
  /** Returns whether a process of the group exists. Always false on Windows, which has no process groups. */
  alive(): boolean
  /** Signals every process of the group; on Windows, only the child. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Sends SIGTERM, waits up to `grace` milliseconds, then sends SIGKILL. Resolves when the group is gone or killed. */
  end(grace: number): Promise<void>
}

/** How often to look whether a group has ended, in milliseconds: the system does not announce it. */
const lookEvery = 20

function hasGroups(): boolean {
  return process.platform !== 'win32'
}

export function processGroup(child: ChildProcess, clock: Clock): ProcessGroup {
  const { pid } = child

  function send(signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
    if (pid === undefined) return false
    try {
      if (hasGroups()) return process.kill(-pid, signal)
      return signal !== 0 && child.kill(signal)
    } catch {
      // ESRCH: no process is left. EPERM: what is left runs as another user, and is out of reach.
      return false
    }
  }

  return {
    alive: () => send(0),
    kill: (signal) => void send(signal),
    async end(grace) {
      if (!send('SIGTERM')) return
      const until = clock.now() + grace
      while (send(0) && clock.now() < until) await timeLimit(clock, lookEvery).over
      send('SIGKILL')
    },
  }
}
