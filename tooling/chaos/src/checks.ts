import type { AgentEvent, Message, RunStore } from '@millrace/core'
import { answerText, createHistoryFold } from '@millrace/core/reduce'
import { validateMessages } from '@millrace/testing'
import { toolNames } from './conversation.ts'
import type { Effects } from './effects.ts'
import type { Seen } from './run-client.ts'
import type { OpenedStores } from './stores.ts'

/** How one run ended, and what is wrong with that. */
export interface Verdict {
  readonly number: number
  readonly outcome: string
  /** Whether its conversation holds it. */
  readonly isInSession: boolean
  readonly problems: readonly string[]
}

export async function judge(seen: Seen, stores: OpenedStores, effects: Effects): Promise<Verdict> {
  const { runs, sessions } = stores
  const snapshot = await runs.snapshot(seen.runId)
  const { number } = seen
  if (snapshot === undefined)
    return { number, outcome: 'refused', isInSession: false, problems: refusalProblems(seen, effects) }
  if (!snapshot.closed) return { number, outcome: 'open', isInSession: false, problems: ['the run has not ended'] }
  const events = await readAll(runs, seen.runId)
  const history = createHistoryFold('')
  for (const event of events) history.apply(event)
  const session = await sessions.load(`${seen.owner}/chat-${number}`)
  const problems = [
    ...sequenceProblems(
      'stored',
      events.map(({ seq }) => seq),
    ),
    ...sequenceProblems('seen', seen.seqs),
    ...clientProblems(seen, snapshot.outcome, answerText(history.messages)),
    ...effectProblems(seen.runId, events, effects),
    ...sessionProblems(session.messages, snapshot.outcome),
  ]
  return { number, outcome: snapshot.outcome ?? 'closed', isInSession: session.version > 0, problems }
}

/** A run that could not be stored is one that its client was told has failed, and that did nothing. */
function refusalProblems({ runId, outcome, errorCode, failure }: Seen, effects: Effects): readonly string[] {
  const made = toolNames.flatMap((name) => effects.keys(name)).filter((key) => key.startsWith(`${runId}:`))
  return [
    ...(made.length === 0 ? [] : [`the run is not stored, and made ${made.length} calls`]),
    ...(outcome === 'failed' && errorCode === 'store_unavailable'
      ? []
      : [`the run is not stored, and its client saw "${outcome}", ${errorCode ?? failure}`]),
  ]
}

async function readAll(runs: RunStore, runId: string): Promise<readonly AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const batch of runs.read(runId, 0)) events.push(...batch)
  return events
}

function sequenceProblems(whose: string, seqs: readonly number[]): readonly string[] {
  const wrong = seqs.findIndex((seq, index) => seq !== index + 1)
  return wrong === -1 ? [] : [`event ${wrong + 1} is ${seqs[wrong]} among those that were ${whose}`]
}

function clientProblems(seen: Seen, outcome: string | undefined, stored: string): readonly string[] {
  const { failure, text } = seen
  if (failure !== undefined) return [`the client failed: ${failure}`]
  return [
    ...(seen.outcome === outcome ? [] : [`the client saw "${seen.outcome}", and "${outcome}" is stored`]),
    ...(text === stored ? [] : [`the client shows ${JSON.stringify(text)}, and ${JSON.stringify(stored)} is stored`]),
  ]
}

function effectProblems(runId: string, events: readonly AgentEvent[], effects: Effects): readonly string[] {
  const problems: string[] = []
  const charges = effects.keys('charge').filter((key) => key.startsWith(`${runId}:`))
  if (charges.length > 1) problems.push(`${charges.length} charges were made`)
  for (const key of charges) {
    const count = effects.count('charge', key)
    if (count > 1) problems.push(`the charge ${key} was made ${count} times`)
  }
  for (const event of events) {
    if (event.type !== 'tool.finished') continue
    const name = toolNames.find((each) => each === event.name)
    const count = name === undefined ? 0 : effects.count(name, `${runId}:${event.toolUseId}`)
    if (event.outcome === 'ok' && count === 0) problems.push(`${event.name} is "ok", and was not made`)
    if (event.outcome === 'cancelled' && name === 'charge' && count > 0)
      problems.push(`${event.name} is "cancelled", and was made`)
    if (event.outcome === 'error' && name === 'charge' && count > 0)
      problems.push(`${event.name} is "error", and was made`)
  }
  return problems
}

function sessionProblems(messages: readonly Message[], outcome: string | undefined): readonly string[] {
  const next: Message = { role: 'user', content: 'And then?' }
  const problem = validateMessages([...messages, next])
  if (problem) return [`the API would refuse the session of a run that ended as "${outcome}": ${problem.message}`]
  return []
}
