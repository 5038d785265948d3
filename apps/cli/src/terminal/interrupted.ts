/**
 * A signal that aborts at the first SIGINT, or when the reader of the output is gone, so that what was begun is cleared
 * away. The second SIGINT ends the process at once.
 */
export function untilInterrupted(source: NodeJS.Process): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const abort = (): void => controller.abort(new Error('interrupted'))
  // It stays after the first signal: without it, what restores the cursor would end the process itself.
  const onSignal = (): void => {
    if (controller.signal.aborted) source.exit(130)
    abort()
  }
  source.on('SIGINT', onSignal)
  source.stdout.on('error', abort)
  return {
    signal: controller.signal,
    // The listener for errors stays: what is still written then fails as well.
    dispose: () => void source.off('SIGINT', onSignal),
  }
}
