import type { AgentEvent } from '@millrace/core'
import { createBell, eventsMissed } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { readEvents } from './lua/runs.ts'

/** Entries asked for at once: 4 MiB of text, or one event that is larger. */
const entriesAtOnce = 16

export async function* readFrom(
  { commands, keys, notifications, settings }: Context,
  runId: string,
  afterSeq: number,
  signal: AbortSignal | undefined,
): AsyncIterable<readonly AgentEvent[]> {
  if (isAborted(signal)) return
  const bell = createBell(settings.clock)
  // Before it looks: what is appended in between rings.
  const stop = notifications.listen(keys.eventsChannel(runId), () => bell.ring())
  try {
    let seq = afterSeq
    while (!isAborted(signal)) {
      const reply = await commands.run(readEvents, keys.run(runId), [String(seq), String(entriesAtOnce)])
      const [status, last, state, ...entries] = reply
      const tail = Number(last)
      if (status !== 'found' || seq > tail) throw eventsMissed(runId, seq)
      if (seq < tail) {
        const batch = eventsAfter(seq, entries)
        if (batch[0]?.seq !== seq + 1) throw eventsMissed(runId, seq)
        seq += batch.length
        yield batch
      } else if (state === 'closed') {
        return
      } else {
        await bell.wait(signal, settings.pollMs)
      }
    }
  } finally {
    stop()
  }
}

/** An entry ends with the `seq` of its id; the first one may begin with events that the reader has seen. */
function eventsAfter(seq: number, entries: readonly string[]): readonly AgentEvent[] {
  return entries.flatMap(parseEvents).filter((event) => event.seq > seq)
}

function parseEvents(json: string): AgentEvent[] {
  return JSON.parse(json)
}

/** Asked anew each time: it changes while we wait. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
