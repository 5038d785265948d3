/**
 * Returns a signal that aborts at the first SIGINT, or when the output is closed, so that the caller can clean up. The
 * second SIGINT ends the process at once.
 */
export function untilInterrupted(source: NodeJS.Process): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const abort = (): void => controller.abort(new Error('interrupted'))
  // It stays after the first signal: without a listener, the code that restores the cursor would end the process.
  const onSignal = (): void => {
    if (controller.signal.aborted) source.exit(130)
    abort()
  }
  source.on('SIGINT', onSignal)
  source.stdout.on('error', abort)
  return {
    signal: controller.signal,
    // The listener for errors stays: what is written after this fails as well.
    dispose: () => void source.off('SIGINT', onSignal),
  }
}
