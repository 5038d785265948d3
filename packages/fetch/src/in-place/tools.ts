import type { ToolProgress } from '@millrace/core'
import { runScope } from './run-scope.ts'

/**
 * Reports how far a tool is, from inside of the tool, as a `tool.progress` event of the run that it is called in. Does nothing
 * outside of a run. Never throws.
 *
 * If several calls are open at once, only `observeTool` tells them apart: without it, the update is left out and reported.
 */
export function reportProgress(update: ToolProgress): void {
  const scope = runScope.getStore()
  scope?.progress(scope.call, update)
}

/**
 * Wraps a tool, so that its events have its exact times and `reportProgress` knows which call it runs for. The call is found
 * by the tool's name and its first argument, the input. Outside of a run the tool is called as it is.
 */
export function observeTool<This, Args extends unknown[], R>(
  name: string,
  tool: (this: This, ...args: Args) => R,
): (this: This, ...args: Args) => R {
  return function (this: This, ...args: Args): R {
    const scope = runScope.getStore()
    const call = scope?.claim(name, args[0])
    if (scope === undefined || call === undefined) return tool.apply(this, args)
    const settle = (): void => {
      call.endedAt = Date.now()
    }
    const result = runScope.run({ ...scope, call }, () => tool.apply(this, args))
    void Promise.resolve(result).then(settle, settle)
    return result
  }
}
