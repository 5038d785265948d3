import type { ToolUseBlock } from '../protocol/messages.ts'
import type { ToolCallEnd } from '../run/middleware.ts'
import { askAfterCrash, describeOutput } from './call-tool.ts'
import type { Tool } from './define-tool.ts'
import type { Executor } from './executor.ts'

/** Calls of a committed turn, some of which may have been running when their process died. */
export interface RecoveredCalls {
  /** Calls whose result is known. */
  readonly settled: ReadonlyMap<string, ToolCallEnd>
  /** Calls whose start is stored. */
  readonly started: ReadonlySet<string>
  /**
   * Returns how a call ended that had started when its process died; undefined if it took no effect, or if its tool may run
   * again and `mayRun`, the run, still does.
   */
  readonly reconcile: typeof reconcileCall
}

const unknownAfterCrash: ToolCallEnd = {
  outcome: 'unknown',
  result: 'The service failed while the call ran: it is unknown whether it took effect',
}

export async function reconcileCall(
  executor: Executor,
  tool: Tool | undefined,
  call: ToolUseBlock,
  mayRun: boolean,
): Promise<ToolCallEnd | undefined> {
  if (tool?.readOnly === true || (mayRun && tool?.idempotent === true)) return undefined
  const { clock } = executor
  const startedAt = clock.now()
  const asked = { toolUseId: call.id, idempotencyKey: executor.keyOf(call.id), input: call.input }
  const found = tool && (await askAfterCrash(tool, asked, clock, executor.timeoutOf(tool)))
  if (found?.happened === false) return undefined
  const end = found === undefined ? unknownAfterCrash : describeOutput(found.result)
  return executor.settle(call, end, startedAt, false)
}
