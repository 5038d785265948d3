import { MillraceError } from '../kit/errors.ts'
import type { ToolResultContent } from '../protocol/events.ts'
import type { LedgerEntry } from '../run/tool-ledger.ts'
import type { AsyncScope } from './async-scope.ts'

export interface LegacyToolOptions<Args extends unknown[], R> {
  /** The name that the agent's tool has. */
  readonly name: string
  /** The same object that `adaptLoop` was given. */
  readonly scope: AsyncScope
  /** The legacy loop's own tool. */
  readonly run: (...args: Args) => Promise<R>
  /** The call's input, as the model gave it. Default: the first argument. */
  readonly input?: (...args: Args) => unknown
  /**
   * What the legacy tool would have returned, from the call that was already made: `output` is what the agent's tool
   * gave, `result` what the model was told. Where both are the same function: `({ output }) => output`, checked.
   */
  readonly fromEntry: (entry: { readonly output: unknown; readonly result: ToolResultContent }) => R
  /** Told of each call: how it ended, in how many milliseconds, and whether it was answered from the ledger. */
  readonly onCall?: (call: {
    readonly name: string
    readonly ok: boolean
    readonly durationMs: number
    readonly reused: boolean
  }) => void
}

/**
 * Wraps a tool of the legacy loop. In everyday use it only measures. Where a run was handed over to the legacy loop from
 * its start (`handover: 'restart'`), a call that the run has made already is answered with its result: by name and equal
 * input, each entry once and in order, never for read-only tools. A call whose outcome is unknown is refused with
 * `tool_outcome_unknown`, each time that it is made again.
 */
export function wrapLegacyTool<Args extends unknown[], R>(
  options: LegacyToolOptions<Args, R>,
): (...args: Args) => Promise<R> {
  const { name, scope, run, input = (...args: Args): unknown => args[0], onCall } = options

  function tell(ok: boolean, startedAt: number, reused: boolean): void {
    try {
      onCall?.({ name, ok, durationMs: performance.now() - startedAt, reused })
    } catch {
      // Who measures is a bystander.
    }
  }

  async function measured(args: Args): Promise<R> {
    const startedAt = performance.now()
    try {
      const result = await run(...args)
      tell(true, startedAt, false)
      return result
    } catch (error) {
      tell(false, startedAt, false)
      throw error
    }
  }

  return async (...args) => {
    const legacy = scope.getStore()
    const entry = legacy?.ledger.take(name, input(...args))
    if (entry === undefined) return measured(args)
    legacy?.onReuse(entry)
    tell(entry.outcome === 'ok', performance.now(), true)
    return reuse(entry, options.fromEntry)
  }
}

function reuse<R>(entry: LedgerEntry, fromEntry: LegacyToolOptions<never[], R>['fromEntry']): R {
  const { output, result, outcome, error } = entry
  if (outcome === 'ok') return fromEntry({ output, result })
  // What a tool throws when it is stopped looks like a fault that a retry repairs: of an unknown outcome it would be a lie.
  if (outcome !== 'unknown' && error instanceof Error) throw error
  throw new MillraceError(
    'tool_outcome_unknown',
    `"${entry.name}" was called with this input already, and ended as "${outcome}"`,
    { cause: error },
  )
}
