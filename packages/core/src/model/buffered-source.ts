import { isContentBlock } from '../protocol/messages.ts'
import { createMessage, isAssistantMessage, type ModelClient } from './model-client.ts'
import { fault, toFault } from '../protocol/faults.ts'
import { linkedController } from '../kit/signals.ts'
import type { Clock } from '../kit/clock.ts'
import type { StreamEvent, TurnSource } from './turn-source.ts'

export interface BufferedSourceOptions {
  readonly client: ModelClient
  readonly clock: Clock
  /** Milliseconds for the whole answer. */
  readonly timeout: number
}

/** Asks without streaming, and gives the answer as the events that would have streamed it. */
export function bufferedSource({ client, clock, timeout }: BufferedSourceOptions): TurnSource {
  return {
    async *open(request, { signal }) {
      const link = linkedController(signal)
      // The SDK's timeout ends at the headers, and not every client has one.
      const cancelTimer = clock.setTimer(() => link.abort(fault('connect_timeout')), timeout)
      let answer: unknown
      try {
        const { stream: _, ...body } = request
        const call = createMessage(client, body, { maxRetries: 0, timeout, signal: link.signal })
        answer = await link.race(Promise.resolve(call))
      } catch (error) {
        // Fetch's word for a body that breaks off. Before its headers, the SDK has an error of its own.
        const open = error instanceof Error && error.message === 'terminated'
        throw link.signal.aborted ? link.signal.reason : toFault(error, open, clock.now())
      } finally {
        cancelTimer()
        link.dispose()
      }
      if (!isAssistantMessage(answer) || !answer.content.every(isContentBlock)) throw fault('garbage')
      // The start of a stream may hold the whole answer, and its end confirms it.
      yield [{ type: 'message_start', message: answer }, { type: 'message_stop' }]
    },
  }
}

/** A stream that is read to its end before anything of it is given: for answers too long for one waiting request. */
export function collectedSource(stream: TurnSource): TurnSource {
  return {
    async *open(request, options) {
      const events: StreamEvent[] = []
      for await (const batch of stream.open(request, options)) events.push(...batch)
      yield events
    },
  }
}
