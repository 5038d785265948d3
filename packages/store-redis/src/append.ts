import type { AgentEvent, AppendResult, MillraceError, RunOutcome } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { unavailable } from './commands.ts'
import type { Context } from './context.ts'
import { appendEvents } from './lua/runs.ts'

/** Events and characters of one entry: what a reader is given is bounded by them. */
const entryEvents = 256
const entryChars = 262_144

/** Appends what is not stored yet. A script stores all that it is given or nothing, whichever call it answers. */
export async function appendTo(
  context: Context,
  runId: string,
  fence: number,
  events: readonly AgentEvent[],
  close?: { readonly outcome: RunOutcome },
): Promise<AppendResult> {
  const { commands, keys, settings } = context
  const { retention, limits, newId } = settings
  const outcome = close === undefined ? '' : JSON.stringify({ outcome: close.outcome })
  const times = [String(retention.eventsMs), String(retention.recordMs)]
  const head = [String(fence), newId(), keys.eventsChannel(runId), String(limits.runBytes), ...times, outcome]
  let fresh = events
  for (;;) {
    const [first = '', ...batches] = batchesOf(fresh)
    const args = [...head, first, keys.cancelChannel(runId), ...batches]
    const [status, seq, cancelled] = await commands.run(appendEvents, keys.run(runId), args)
    const tail = Number(seq)
    switch (status) {
      case 'appended':
        return { status, tail, ...defined({ cancelled }) }
      case 'behind':
        fresh = fresh.filter((event) => event.seq > tail)
        break
      case 'gap':
        return { status, tail }
      case 'fenced':
      case 'closed':
        return { status }
      case 'full':
        throw runFull(limits.runBytes)
      default:
        return { status: 'not_found' }
    }
  }
}

/** The first `seq`, then the last `seq` and the JSON of each batch. */
function batchesOf(events: readonly AgentEvent[]): readonly string[] {
  const [first] = events
  if (first === undefined) return ['']
  // The script looks at the first one alone: a hole further on is told by a first one that follows nothing.
  if (events.some(({ seq }, index) => seq !== first.seq + index)) return [String(Number.MAX_SAFE_INTEGER)]
  const args = [String(first.seq)]
  let batch: string[] = []
  let chars = 0
  for (const [index, event] of events.entries()) {
    const json = JSON.stringify(event)
    batch.push(json)
    chars += json.length
    if (batch.length < entryEvents && chars < entryChars && index < events.length - 1) continue
    args.push(String(event.seq), `[${batch.join(',')}]`)
    batch = []
    chars = 0
  }
  return args
}

export function runFull(limit: number): MillraceError {
  return unavailable(`the run is larger than limits.runBytes, ${limit}`, undefined, 'limits.runBytes')
}
