/** What waits for each signal. The signal itself has one listener for all of it. */
const waiting = new WeakMap<AbortSignal, Waiting>()

interface Waiting {
  readonly listeners: Set<() => void>
  readonly fire: () => void
}

/**
 * Calls `listener` once, when `signal` aborts; at once where it has aborted already. Returns a function that ends the wait.
 * However many wait for one signal, it has one listener: a platform warns of a leak beyond ten. `listener` must not throw.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener()
    return () => {}
  }
  // Of its own identity, since one function may wait twice.
  const own = (): void => listener()
  const { listeners, fire } = waiting.get(signal) ?? listenTo(signal)
  listeners.add(own)
  return () => {
    if (!listeners.delete(own) || listeners.size > 0) return
    signal.removeEventListener('abort', fire)
    waiting.delete(signal)
  }
}

function listenTo(signal: AbortSignal): Waiting {
  const listeners = new Set<() => void>()
  const fire = (): void => {
    waiting.delete(signal)
    for (const listener of listeners) listener()
    listeners.clear()
  }
  const made = { listeners, fire }
  waiting.set(signal, made)
  signal.addEventListener('abort', fire, { once: true })
  return made
}

/** An abort controller that follows another signal until it is disposed of. */
export interface LinkedController {
  readonly signal: AbortSignal
  readonly abort: (reason: unknown) => void
  /** What `promise` gives, or a rejection with the signal's reason as soon as that aborts. One race at a time. */
  race<T>(promise: PromiseLike<T>): Promise<T>
  /** Stops following; leaves no listener behind. */
  dispose(): void
}

/** Aborts with `parent`, for the same reason, or on its own. */
export function linkedController(parent: AbortSignal): LinkedController {
  const controller = new AbortController()
  const { signal } = controller
  let rejectWaiting: ((reason: unknown) => void) | undefined
  const abort = (reason: unknown): void => {
    controller.abort(reason)
    rejectWaiting?.(signal.reason)
  }
  const dispose = onAbort(parent, () => abort(parent.reason))
  return {
    signal,
    abort,
    // Not `Promise.race`: that would leave a reaction on the signal's promise for each read of a long body.
    race: (promise) =>
      new Promise((resolve, reject) => {
        rejectWaiting = reject
        promise.then(resolve, reject)
        if (signal.aborted) reject(signal.reason)
      }),
    dispose,
  }
}
