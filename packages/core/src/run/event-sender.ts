import type { Clock } from '../kit/clock.ts'
import type { AgentEvent, EventBody } from '../protocol/events.ts'

/** Whether an event is the last one that this process sends of its run. */
export function isLast({ type }: AgentEvent): boolean {
  return type === 'run.finished' || type === 'run.moving'
}

/** Numbers and dates the events of a run, and sends them in batches. */
export interface EventSender {
  /** Sends an event, by itself or as part of the batch that is being made. Returns undefined after the last event. */
  emit(body: EventBody): AgentEvent | undefined
  /** Sends everything that `body` emits while it runs as one batch. */
  batch<T>(body: () => T): T
}

export interface EventSenderOptions {
  readonly runId: string
  readonly clock: Clock
  /** The `seq` of the last event that was sent before. */
  readonly tail: number
  readonly send: (events: readonly AgentEvent[]) => void
}

export function createEventSender({ runId, clock, tail, send }: EventSenderOptions): EventSender {
  let seq = tail
  let finished = false
  /** The batch that is being made. */
  let open: AgentEvent[] | undefined
  return {
    emit(body) {
      // A tool that outlived the run may still report; nothing follows the last event.
      if (finished) return undefined
      const event: AgentEvent = { ...body, seq: ++seq, runId, at: clock.now() }
      if (isLast(event)) finished = true
      if (open === undefined) send([event])
      else open.push(event)
      return event
    },
    batch(body) {
      if (open !== undefined) return body()
      const events: AgentEvent[] = []
      open = events
      try {
        return body()
      } finally {
        open = undefined
        if (events.length > 0) send(events)
      }
    },
  }
}
