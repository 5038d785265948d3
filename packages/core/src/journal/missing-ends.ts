import { isRecord } from '../kit/guards.ts'
import type { ToolFinished } from '../protocol/events.ts'
import type { HistoryFold } from '../reduce/history-fold.ts'
import { notJson } from '../tools/tool-runner.ts'

/** Returns the ends of calls that nobody will run and that their process died before it could tell. */
export function missingEnds(fold: HistoryFold): ToolFinished[] {
  const { started, settled, discarded, calls, inputs, turn, last } = fold
  const ids = new Set(calls.map(({ id }) => id))
  // The model has been given the results of every call of an earlier turn.
  const unansweredFrom = last === undefined ? turn + 1 : turn
  // A call that had ended is discarded all the same: no history holds it.
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
  call: Pick<ToolFinished, 'toolUseId' | 'name' | 'input' | 'turn'>,
  outcome: 'discarded' | 'error',
  result: string,
): ToolFinished {
  return { type: 'tool.finished', ...call, result, outcome, durationMs: 0 }
}

/** Whether a call's raw JSON, as it was shown, can be given to a tool. Without any, the input came parsed. */
function isJsonObject(json: string | undefined): boolean {
  if (json === undefined) return true
  try {
    return isRecord(JSON.parse(json))
  } catch {
    return false
  }
}
