/** A signal that aborts at the first SIGINT; the second ends the process, as it does without this. */
export function untilInterrupted(source: NodeJS.Process): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const onSignal = (): void => {
    dispose()
    controller.abort(new Error('interrupted'))
  }
  const dispose = (): void => void source.off('SIGINT', onSignal)
  source.on('SIGINT', onSignal)
  return { signal: controller.signal, dispose }
}
