import type { ChildProcess } from 'node:child_process'
import type { Clock } from '@millrace/core'

/** A child started with `detached: true`, and all its descendants that did not leave its process group. */
export interface ProcessGroup {
  /** Whether a process of it exists. Always false on Windows, which has no process groups. */
  alive(): boolean
  /** Signals every process of the group. On Windows only the child itself. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Asks the group to end, waits `grace` milliseconds for it, then kills it. Resolves when it is gone or killed. */
  end(grace: number): Promise<void>
}

/** How often the end of a group is looked for: nothing announces it. Milliseconds. */
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
      // ESRCH: nobody is left. EPERM: what is left runs as another user, and is out of reach.
      return false
    }
  }

  return {
    alive: () => send(0),
    kill: (signal) => void send(signal),
    async end(grace) {
      if (!send('SIGTERM')) return
      const until = clock.now() + grace
      while (send(0) && clock.now() < until)
        await new Promise<void>((resolve) => void clock.setTimer(resolve, lookEvery))
      send('SIGKILL')
    },
  }
}
