/**
 * Calls `hook`, a function that the application gave. What it throws, or rejects with, goes to `onFailure` instead of
 * stopping the caller or ending the process as an unhandled rejection.
 */
export function callHook<T>(hook: (value: T) => unknown, value: T, onFailure: (cause: unknown) => void): void {
  try {
    Promise.resolve(hook(value)).catch(onFailure)
  } catch (cause) {
    onFailure(cause)
  }
}
