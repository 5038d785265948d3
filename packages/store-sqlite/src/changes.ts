import { type ChangeSignal, changeSignal } from '@millrace/core/kit'

/** Says when to look again. */
export interface Changes {
  /** This process has changed what `key` names. */
  notify(key: string): void
  /**
   * Resolves when `key` may have changed, or when `signal` aborts: at once after a change of this process, and after at
   * most one poll where another process has written anything.
   */
  wait(key: string, signal: AbortSignal | undefined): Promise<void>
  /** Ends all waits. */
  close(): void
}

interface Watched {
  readonly changed: ChangeSignal
  waiting: number
}

/** @param dataVersion a number that changes whenever another connection has committed; it may throw */
export function createChanges(dataVersion: () => number, pollMs: number): Changes {
  const watched = new Map<string, Watched>()
  let timer: ReturnType<typeof setInterval> | undefined
  let seen: number | undefined
  let isClosed = false

  function notifyAll(): void {
    for (const { changed } of watched.values()) changed.notify()
  }

  function poll(): void {
    let version: number | undefined
    try {
      version = dataVersion()
    } catch {
      // Whoever waits looks by itself then, and meets the failure.
    }
    if (version !== undefined && version === seen) return
    seen = version
    notifyAll()
  }

  return {
    notify: (key) => watched.get(key)?.changed.notify(),
    async wait(key, signal) {
      if (isClosed) return
      const entry = watched.get(key) ?? { changed: changeSignal(), waiting: 0 }
      watched.set(key, entry)
      entry.waiting++
      // What was written before the first poll is found by it: `seen` is what the last poll saw, not what is there now.
      timer ??= setInterval(poll, pollMs)
      try {
        await entry.changed.wait(signal)
      } finally {
        entry.waiting--
        if (entry.waiting === 0) watched.delete(key)
        if (watched.size === 0) {
          clearInterval(timer)
          timer = undefined
        }
      }
    },
    close() {
      isClosed = true
      notifyAll()
    },
  }
}
