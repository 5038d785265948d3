import type { AssistantMessage, ContentBlock, EventBody, FallbackReason, TurnMode, Usage } from '@millrace/core'
import { createShownTurn } from '@millrace/core/drive'
import {
  type Accumulator,
  asWhole,
  createAccumulator,
  keptOfPartial,
  noUsage,
  type StreamEvent,
} from '@millrace/core/recovery'
import type { TurnEnd, TurnObserver } from '../turn/turn-observer.ts'

export interface TurnReporterOptions {
  readonly turn: number
  readonly emit: (event: EventBody) => void
  /** Emits what `body` emits as one batch. */
  readonly batch: (body: () => void) => void
  /** Whether the loop gets nothing before the answer is whole, so that text which is shown may be retracted. */
  readonly canRetract: boolean
  /** Told of the answer that the loop gets. */
  readonly onAnswer: (
    content: readonly ContentBlock[],
    attempt: number,
    stopReason: string | null,
    usage: Usage,
  ) => void
}

/** Tells a run's consumers of one turn, by the events that the loop gets itself. */
export function createTurnReporter(options: TurnReporterOptions): TurnObserver {
  const { turn, emit, batch, canRetract, onAnswer } = options
  const shown = createShownTurn({ turn, emit, canRetract, hold: false })
  let accumulator: Accumulator = createAccumulator()
  let isFresh = true
  let attempt = 1
  let mode: TurnMode = 'stream'
  let reason: FallbackReason = 'connection_lost'
  let events: StreamEvent[] = []

  function flush(): void {
    const given = events
    events = []
    if (given.length === 0) return
    batch(() => {
      for (const event of given) for (const addition of accumulator.add(event)) shown.add(addition)
      shown.endBatch()
    })
  }

  function finish(content: readonly ContentBlock[], stopReason: string | null, usage: Usage, isWhole: boolean): void {
    shown.reconcile(content.map(asWhole), reason)
    const salvaged = !isWhole && ({ salvaged: true } as const)
    emit({ type: 'turn.finished', turn, attempt, mode, stopReason, usage, content, ...salvaged })
    onAnswer(content, attempt, stopReason, usage)
  }

  return {
    attempt(number, next) {
      attempt = number
      mode = next
      emit({ type: 'turn.started', turn, attempt, mode })
      if (isFresh) shown.begin(attempt, reason)
      isFresh = false
    },
    added() {},
    restarted() {
      events = []
      accumulator = createAccumulator()
      isFresh = true
    },
    sent: (event) => void events.push(event),
    flushed: flush,
    fallback(from, to, why, afterOutput) {
      reason = why
      emit({ type: 'fallback', turn, from, to, reason, stage: afterOutput ? 'after_output' : 'before_output' })
    },
    ended(end: TurnEnd) {
      flush()
      if (end.status === 'whole' || end.status === 'salvaged') {
        const message: AssistantMessage | undefined = accumulator.message()
        return finish(message?.content ?? [], end.stopReason, end.usage, end.status === 'whole')
      }
      const kept = canRetract ? [] : keptOfPartial(accumulator.blocks).filter(({ kind }) => kind !== 'tool_use')
      finish(
        kept.map(({ block }) => block),
        null,
        accumulator.message()?.usage ?? noUsage,
        false,
      )
    },
  }
}
