import { isRecord, parseJson } from '@millrace/core/kit'
import { EventSchema } from '@ag-ui/core/schemas'

type Frame = Readonly<Record<string, unknown>>

/** The events in a body of server-sent events. */
export function framesOf(body: string): Frame[] {
  const lines = body.split('\n\n').filter((frame) => frame.startsWith('data: '))
  return lines.map((frame) => parseJson(frame.slice('data: '.length))).filter(isRecord)
}

/** What `EventSchema` refuses. */
export function schemaProblems(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => {
    const parsed = EventSchema.safeParse(frame)
    return parsed.success ? [] : [`${String(frame['type'])}: ${parsed.error.message}`]
  })
}

const openings = ['TEXT_MESSAGE_START', 'REASONING_MESSAGE_START', 'TOOL_CALL_START']
const terminals = ['RUN_FINISHED', 'RUN_ERROR']

/** The four checks that `verifyEvents` lacks. */
export function furtherProblems(frames: readonly Frame[]): string[] {
  const problems: string[] = []
  const opened = new Set<unknown>()
  const calls = new Set<unknown>()
  const results = new Set<unknown>()
  const activities = new Set<unknown>()
  for (const frame of frames) {
    const type = String(frame['type'])
    const { messageId, toolCallId } = frame
    const id = type === 'TOOL_CALL_START' ? toolCallId : messageId
    if (openings.includes(type)) {
      if (opened.has(id)) problems.push(`${String(id)} was opened twice`)
      opened.add(id)
      if (type === 'TOOL_CALL_START') calls.add(toolCallId)
    }
    if (type === 'TOOL_CALL_RESULT') {
      if (!calls.has(toolCallId)) problems.push(`the result of ${String(toolCallId)} has no call`)
      if (results.has(toolCallId)) problems.push(`${String(toolCallId)} has two results`)
      results.add(toolCallId)
    }
    if (type === 'ACTIVITY_SNAPSHOT') activities.add(messageId)
    if (type === 'ACTIVITY_DELTA' && !activities.has(messageId))
      problems.push(`a delta of ${String(messageId)} has no snapshot`)
  }
  if (!terminals.includes(String(frames.at(-1)?.['type']))) problems.push('the run has no end')
  return problems
}
