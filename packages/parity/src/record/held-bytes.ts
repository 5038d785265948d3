/** Limits what a recorder holds in memory. */
export interface ByteBudget {
  /** Takes that many bytes. Returns false, and takes none, if fewer are left. */
  take(bytes: number): boolean
  give(bytes: number): void
}

export function createByteBudget(limit: number): ByteBudget {
  let held = 0
  return {
    take(bytes) {
      if (held + bytes > limit) return false
      held += bytes
      return true
    },
    give(bytes) {
      held -= bytes
    },
  }
}

/** The bytes of one body, as far as they are held. */
export interface HeldBytes {
  add(bytes: Uint8Array): void
  /** Returns all bytes, or undefined if they were too many. */
  joined(): Uint8Array | undefined
  /** Releases them. */
  release(): void
}

/**
 * Holds at most `limit` bytes, taken from `budget`. If there are more, it holds none, since half a body is of no use.
 */
export function holdBytes(limit: number, budget: ByteBudget): HeldBytes {
  let pieces: Uint8Array[] = []
  let length = 0
  let overflown = false
  const release = (): void => {
    budget.give(length)
    pieces = []
    length = 0
  }
  return {
    add(bytes) {
      if (overflown) return
      if (length + bytes.length > limit || !budget.take(bytes.length)) {
        overflown = true
        release()
        return
      }
      // A copy, since the caller may reuse its buffer.
      pieces.push(bytes.slice())
      length += bytes.length
    },
    joined() {
      if (overflown) return undefined
      const all = new Uint8Array(length)
      let at = 0
      for (const piece of pieces) {
        all.set(piece, at)
        at += piece.length
      }
      return all
    },
    release,
  }
}
