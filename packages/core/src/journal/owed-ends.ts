import type { ToolFinished, ToolStarted } from '../protocol/events.ts'
import { isRecord } from '../kit/guards.ts'
import type { ToolUseBlock } from '../protocol/messages.ts'
import { notJson } from '../tools/tool-runner.ts'

/** A call's end, before the run has numbered and dated it. */
export type CallEnd = Omit<ToolFinished, 'seq' | 'runId' | 'at'>

export interface StoredCalls {
  readonly started: ReadonlyMap<string, ToolStarted>
  readonly settled: ReadonlyMap<string, unknown>
  readonly discarded: ReadonlySet<string>
  /** Those of the last turn that is part of history. */
  readonly calls: readonly ToolUseBlock[]
  /** Of these, the raw JSON that was shown. */
  readonly inputs: ReadonlyMap<string, string>
  /** Their turn. */
  readonly turn: number
  /** The first turn whose calls the model has not been given the results of. */
  readonly unansweredFrom: number
}

/** The ends that a process died before it could tell, of calls that no other will run. */
export function owedEnds(stored: StoredCalls): CallEnd[] {
  const { started, settled, discarded, calls, inputs, turn, unansweredFrom } = stored
  const ids = new Set(calls.map(({ id }) => id))
  // One that had ended is thrown away all the same: no history holds its call.
  const lost = [...started.values()].filter(
    ({ toolUseId: id, turn: ofTurn }) =>
      !ids.has(id) && !discarded.has(id) && (ofTurn >= unansweredFrom || !settled.has(id)),
  )
  const unreadable = calls.filter(({ id }) => !settled.has(id) && !isJsonObject(inputs.get(id)))
  return [
    ...lost.map(({ toolUseId, name, input, turn: ofTurn }) =>
      callEnd({ toolUseId, name, input, turn: ofTurn }, 'discarded', 'The attempt that asked for this call was lost'),
    ),
    ...unreadable.map(({ id: toolUseId, name, input }) => callEnd({ toolUseId, name, input, turn }, 'error', notJson)),
  ]
}

function callEnd(
  call: Pick<CallEnd, 'toolUseId' | 'name' | 'input' | 'turn'>,
  outcome: 'discarded' | 'error',
  result: string,
): CallEnd {
  return { type: 'tool.finished', ...call, result, outcome, durationMs: 0 }
}

/** Whether a call's raw JSON, as it was shown, is one that a tool can be given. Where none was, it came parsed. */
function isJsonObject(json: string | undefined): boolean {
  if (json === undefined) return true
  try {
    return isRecord(JSON.parse(json))
  } catch {
    return false
  }
}
