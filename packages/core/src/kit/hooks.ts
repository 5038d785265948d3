import { hasMethod } from './guards.ts'

/**
 * Calls a hook of the operator that nothing waits for. A throw and a rejection both go to `failed`, so that no hook fails
 * a run or ends the process with an unhandled rejection.
 */
export function guarded(hook: () => unknown, failed: (cause: unknown) => void): void {
  try {
    const given = hook()
    // Not `instanceof Promise`: a promise of another realm that rejects unheard would end the process.
    if (hasMethod(given, 'then')) Promise.resolve(given).catch(failed)
  } catch (cause) {
    failed(cause)
  }
}
