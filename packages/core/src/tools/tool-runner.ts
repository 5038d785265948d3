import { MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import type { ToolUseBlock } from '../protocol/messages.ts'
import type { ToolCallEnd } from '../run/middleware.ts'
import type { RecoveredCalls } from './recovered-calls.ts'
import { linkedController } from '../kit/signals.ts'
import type { Tool } from './define-tool.ts'
import { createExecutor, type ExecutorOptions, notRun, notStored } from './executor.ts'
import { inSequence } from './sequence.ts'

export interface ToolRunnerOptions extends ExecutorOptions {
  readonly tools: ReadonlyMap<string, Tool>
  /** Calls that had started or ended in a process that died. */
  readonly recovered?: RecoveredCalls
}

/** A call and what the model is told of it. */
export interface AnsweredCall {
  readonly call: ToolUseBlock
  readonly end: ToolCallEnd
}

/** Runs the calls of one turn. */
export interface ToolRunner {
  /** The tools to offer to the model, in every attempt of the turn. */
  readonly tools: ReadonlyMap<string, Tool>
  /** Starts a call before its turn is whole, if its tool is read-only and may stream and the call is not of a toolset. */
  startEarly(call: ToolUseBlock, attempt: number): void
  /** Discards the calls that were started early, except those in `kept`. */
  discard(kept: readonly ToolUseBlock[]): void
  /**
   * Runs the calls, as many at once as the concurrency limit allows, and returns their ends in the order of the calls. Calls
   * in `invalid`, whose input was not JSON, are answered with an error. Never rejects: check `storeError`.
   */
  run(
    calls: readonly ToolUseBlock[],
    attempt: number,
    invalid?: readonly ToolUseBlock[],
  ): Promise<readonly AnsweredCall[]>
  /** Answers the calls without running them. A call whose end is known keeps it. */
  refuse(calls: readonly ToolUseBlock[], why: string): readonly AnsweredCall[]
  /** Set when the store has refused a flush. No further call was started then. */
  readonly storeError: MillraceError | undefined
}

interface EarlyCall {
  readonly end: Promise<ToolCallEnd>
  discard(): void
}

export const notJson = 'The input was not a JSON object. Call the tool again'

/** Returns what the model is told of a call that cannot run: its tool does not exist, or its input was not JSON. */
function unusable(call: ToolUseBlock, tool: Tool | undefined): string {
  return tool === undefined ? `There is no tool named "${call.name}"` : notJson
}

// oxlint-disable-next-line max-lines-per-function -- short functions over the calls of one turn
export function createToolRunner(options: ToolRunnerOptions): ToolRunner {
  const { clock, limits, scope, tools, recovered } = options
  const executor = createExecutor(options)
  const early = new Map<string, EarlyCall>()

  function refuseOne(call: ToolUseBlock, outcome: 'error' | 'cancelled', why: string): AnsweredCall {
    return { call, end: executor.finish(call, { outcome, result: why }, clock.now()) }
  }

  async function answer(call: ToolUseBlock, attempt: number, isInvalid: boolean): Promise<AnsweredCall> {
    const settled = recovered?.settled.get(call.id)
    if (settled !== undefined) return { call, end: settled }
    const started = early.get(call.id)
    if (started !== undefined) {
      early.delete(call.id)
      return { call, end: await started.end }
    }
    const tool = tools.get(call.name)
    const { aborted } = scope.signal
    if (recovered?.started.has(call.id) === true) {
      const end = await recovered.reconcile(executor, tool, call, !aborted)
      if (end !== undefined) return { call, end }
    }
    if (aborted) return refuseOne(call, 'cancelled', notRun)
    if (executor.storeError !== undefined) return refuseOne(call, 'cancelled', notStored)
    if (tool === undefined || isInvalid || !isRecord(call.input)) return refuseOne(call, 'error', unusable(call, tool))
    return { call, end: await executor.perform({ tool, call, attempt, signal: scope.signal, startedAt: clock.now() }) }
  }

  return {
    tools,
    startEarly(call, attempt) {
      const tool = tools.get(call.name)
      if (tool === undefined || !tool.readOnly || early.has(call.id) || early.size >= limits.parallelTools) return
      if (scope.decision.tools[tool.name] === false) return
      // The calls of one toolset keep their order.
      if (typeof call['toolset_name'] === 'string') return
      const link = linkedController(scope.signal)
      const startedAt = clock.now()
      let discarded = false
      const end = executor.perform({
        tool,
        call,
        attempt,
        signal: link.signal,
        startedAt,
        isDiscarded: () => discarded,
      })
      const released = end.finally(() => link.dispose())
      // The promise is awaited when the turn is whole. That of a discarded call never is.
      released.catch(() => {})
      early.set(call.id, {
        end: released,
        discard() {
          discarded = true
          executor.finish(
            call,
            { outcome: 'discarded', result: 'The attempt that asked for this call was discarded' },
            startedAt,
          )
          link.abort(new MillraceError('aborted', 'discarded'))
        },
      })
    },
    discard(kept) {
      const ids = new Set(kept.map(({ id }) => id))
      for (const [id, started] of early) {
        if (ids.has(id)) continue
        early.delete(id)
        started.discard()
      }
    },
    async run(calls, attempt, invalid = []) {
      const answered: AnsweredCall[] = []
      const groups = inSequence(calls)
      const queue = groups.entries()
      const worker = async (): Promise<void> => {
        for (const [, group] of queue) {
          for (const { call, position } of group)
            answered[position] = await answer(call, attempt, invalid.includes(call))
        }
      }
      const workers = Array.from({ length: Math.min(limits.parallelTools, groups.length) }, worker)
      await Promise.all(workers)
      return answered
    },
    refuse: (calls, why) =>
      calls.map((call) => {
        const settled = recovered?.settled.get(call.id)
        return settled === undefined ? refuseOne(call, 'cancelled', why) : { call, end: settled }
      }),
    get storeError() {
      return executor.storeError
    },
  }
}
