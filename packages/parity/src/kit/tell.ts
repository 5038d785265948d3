/**
 * Calls a listener that can do nothing about what it is told. One that throws, or rejects, is ignored: nothing is left
 * to report its failure to, and it must not end the process.
 */
export function tell<Value>(listener: ((value: Value) => unknown) | undefined, value: Value): void {
  if (listener === undefined) return
  new Promise((resolve) => resolve(listener(value))).catch(() => {})
}
