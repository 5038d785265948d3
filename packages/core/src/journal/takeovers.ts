import type { AgentEvent, RunResumed } from '../protocol/events.ts'
import { checksum } from '../protocol/events.ts'
import { MillraceError } from '../kit/errors.ts'

/** How often a run may crash its process before it is given up. */
export interface CrashLimits {
  /** Crashes in a row, without a finished turn in between. Default: 5. */
  readonly inARow: number
  /** Crashes in all. Default: 25. */
  readonly total: number
  /** Milliseconds to wait after the second crash in a row; doubled with each further one, up to 30,000. Default: 1,000. */
  readonly backoff: number
}

export const crashLimits: CrashLimits = { inARow: 5, total: 25, backoff: 1_000 }

const maxBackoff = 30_000

/** A takeover, as the events before it tell it. */
export interface Takeover {
  readonly event: RunResumed
  /** Milliseconds before the run goes on. A run that crashes its process would otherwise take all others along, each time. */
  readonly delay: number
  /** Set if the run is given up. */
  readonly failure: MillraceError | undefined
}

export function readTakeover(runId: string, events: readonly AgentEvent[], limits: CrashLimits): Takeover {
  let crashes = 0
  let inARow = 0
  for (const event of events) {
    if (event.type === 'turn.finished') inARow = 0
    if (event.type !== 'run.resumed' || event.after !== 'crash') continue
    crashes = event.crashes
    inARow++
  }
  if (events.at(-1)?.type === 'run.moving') {
    return { event: { type: 'run.resumed', after: 'move', crashes }, delay: 0, failure: undefined }
  }
  crashes++
  inARow++
  const isGivenUp = inARow > limits.inARow || crashes > limits.total
  return {
    event: { type: 'run.resumed', after: 'crash', crashes },
    delay: isGivenUp || inARow === 1 ? 0 : delayOf(runId, limits.backoff * 2 ** (inARow - 2)),
    failure: isGivenUp ? crashLoop(inARow > limits.inARow ? inARow : crashes) : undefined,
  }
}

/** The part that differs by run keeps the runs of one process from going on at the same moment. */
function delayOf(runId: string, full: number): number {
  return Math.min(maxBackoff, full) * (0.5 + Number.parseInt(checksum(runId), 16) / 2 ** 33)
}

function crashLoop(crashes: number): MillraceError {
  return new MillraceError(
    'crash_loop',
    `the process that drove this run died ${crashes} times; it is not taken up again`,
  )
}
