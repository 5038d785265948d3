import type { Job, LoopOutcome, LoopReport } from '../grade/job.ts'
import { assistantText } from '../grade/shown-text.ts'
import { isString } from '../kit/guards.ts'
import type { ContentBlock } from '../script/turn.ts'
import { isAskError, type TurnAnswer } from './ask.ts'

/** A conversation that a loop is holding. */
export interface Talk {
  readonly messages: { role: 'user' | 'assistant'; content: unknown }[]
  readonly clientFacing: unknown[]
}

export function startTalk(job: Job): Talk {
  return { messages: [...job.messages], clientFacing: [] }
}

/** More turns than any job here needs. */
const turnLimit = 20

/**
 * Asks and runs tools until the model is done. `askTurn` decides how a turn is asked, and `runTool` how a call is run.
 * Rejects with what `askTurn` rejects with. The talk then ends where the API accepts it.
 */
export async function converse(
  talk: Talk,
  askTurn: (messages: readonly unknown[]) => Promise<TurnAnswer>,
  runTool: (call: ContentBlock) => Promise<string>,
): Promise<LoopOutcome> {
  const { messages } = talk
  for (let turn = 0; turn < turnLimit; turn++) {
    const { content, stopReason } = await askTurn(messages).catch((error: unknown) => {
      // The API does not accept a user message behind a paused turn, so the conversation could not go on.
      while (messages.at(-1)?.role === 'assistant') messages.pop()
      throw error
    })
    if (stopReason === 'refusal') {
      while (messages.at(-1)?.role === 'assistant') messages.pop()
      return 'refused'
    }
    const isPaused = stopReason === 'pause_turn' && content.at(-1)?.type === 'server_tool_use'
    const kept = isPaused ? content : withoutPending(content)
    if (kept.length > 0) messages.push({ role: 'assistant', content: kept })
    if (isPaused) continue
    const calls = content.filter((block) => block.type === 'tool_use')
    const isCall = stopReason === 'tool_use'
    if (calls.length > 0) {
      const results = []
      for (const call of calls) {
        const text = isCall ? await runTool(call) : 'This call was not run.'
        results.push({
          type: 'tool_result',
          tool_use_id: call.id,
          content: text,
          ...(isCall ? {} : { is_error: true }),
        })
      }
      messages.push({ role: 'user', content: results })
    }
    if (isCall) continue
    return stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded' ? 'limit' : 'completed'
  }
  return 'limit'
}

/** Returns the content without server tools that will never get a result. The API refuses a history with one. */
function withoutPending(content: readonly ContentBlock[]): readonly ContentBlock[] {
  const answered = new Set(content.map((block) => block.tool_use_id))
  return content.filter((block) => block.type !== 'server_tool_use' || answered.has(block.id))
}

/** Runs the tool of a call. */
export async function runJobTool(job: Job, call: ContentBlock): Promise<string> {
  const tool = job.tools.find(({ name }) => name === call.name)
  if (tool === undefined) return 'There is no such tool.'
  return await tool.run(call.input, { signal: job.signal, toolUseId: isString(call.id) ? call.id : '' })
}

/** Returns the report of a talk. `shown` is what the client saw, by default the text of the history. */
export function reportTalk(
  job: Job,
  talk: Talk,
  end: { outcome: LoopOutcome; error?: unknown },
  shown: string = assistantText(talk.messages, job.messages.length),
): LoopReport {
  const report = {
    outcome: end.outcome,
    shown,
    text: assistantText(talk.messages, job.messages.length),
    messages: talk.messages,
    clientFacing: talk.clientFacing,
  }
  if (end.outcome !== 'failed') return report
  const error = isAskError(end.error)
    ? { code: end.error.code, message: end.error.message, retryable: end.error.retryable }
    : { code: 'internal', message: 'The run failed.', retryable: false }
  return { ...report, error, clientFacing: [...talk.clientFacing, error] }
}
