/** A response to the request that started the run, or to one that follows it. */
export type ResponseKind = 'starter' | 'follower'

/** The responses that have not ended, so that a shutdown can wait for them, and end them. */
export interface OpenResponses {
  /**
   * @param end ends the response where it is, for its client to come back elsewhere
   * @returns to be called when the response has ended; calling it again does nothing
   */
  add(kind: ResponseKind, end: () => void): () => void
  /** Ends the open responses of that kind, or all of them. */
  end(kind?: ResponseKind): void
  /** Resolves once there is none. */
  ended(): Promise<void>
}

export function createOpenResponses(): OpenResponses {
  const open = new Set<{ readonly kind: ResponseKind; readonly end: () => void }>()
  let waiting: (() => void)[] = []
  return {
    add(kind, end) {
      const entry = { kind, end }
      open.add(entry)
      return () => {
        if (!open.delete(entry) || open.size > 0) return
        for (const resolve of waiting) resolve()
        waiting = []
      }
    },
    end(kind) {
      for (const entry of open) if (kind === undefined || entry.kind === kind) entry.end()
    },
    ended: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve))),
  }
}
