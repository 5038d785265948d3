/** The responses that have not ended, so that a shutdown can wait for the last events of its runs to be sent. */
export interface OpenResponses {
  /** @returns to be called when the response has ended; calling it again does nothing */
  add(): () => void
  /** Resolves once there is none. */
  ended(): Promise<void>
}

export function createOpenResponses(): OpenResponses {
  const open = new Set<object>()
  let waiting: (() => void)[] = []
  return {
    add() {
      const entry = {}
      open.add(entry)
      return () => {
        if (!open.delete(entry) || open.size > 0) return
        for (const resolve of waiting) resolve()
        waiting = []
      }
    },
    ended: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve))),
  }
}
