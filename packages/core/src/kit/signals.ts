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
  const follow = (): void => abort(parent.reason)
  if (parent.aborted) follow()
  else parent.addEventListener('abort', follow, { once: true })
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
    dispose: () => parent.removeEventListener('abort', follow),
  }
}
