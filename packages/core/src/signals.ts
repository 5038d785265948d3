/** An abort controller that follows another signal until it is disposed of. */
export interface LinkedController {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  /** Stops following; leaves no listener behind. */
  dispose(): void
}

/** Aborts with `parent`, for the same reason, or on its own. */
export function linkedController(parent: AbortSignal): LinkedController {
  const controller = new AbortController()
  const follow = (): void => controller.abort(parent.reason)
  if (parent.aborted) follow()
  else parent.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    dispose: () => parent.removeEventListener('abort', follow),
  }
}
