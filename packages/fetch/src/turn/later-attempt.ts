import type { AssistantMessage } from '@millrace/core'
import { type Addition, createAccumulator, createRepetitionFilter, judgeAnswer } from '@millrace/core/recovery'
import { createGate } from '../stream/gate.ts'
import { emptied, eventsOf } from './answer-events.ts'
import type { Attempt, AttemptOptions } from './attempt.ts'

export interface LaterOptions extends AttemptOptions {
  /** Adds what was used before it to the usage of this answer. */
  readonly totalUsage: (usage: AssistantMessage['usage']) => AssistantMessage['usage']
}

/** An attempt behind one that broke: its events go on where the client's message is, under its block indices. */
export function createLaterAttempt(options: LaterOptions): Attempt {
  const { client, history, said, acceptsInvalidInput, onAddition, totalUsage } = options
  const accumulator = createAccumulator(history)
  const gate = createGate({ ...options, accumulator })
  const repetition = createRepetitionFilter(said)
  /** By the block's index in this answer: its index for the client. Absent for one that the client does not get. */
  const indices = new Map<number, number>()
  let nextIndex = client.blocks.length
  /** Whether the open text of the client still waits for its rest. */
  let joins = client.open?.kind === 'text'

  function place({ index, block: { type } }: Extract<Addition, { type: 'started' }>): boolean {
    if (joins && type.endsWith('thinking')) return false
    const goesOn = joins && type === 'text'
    joins = false
    indices.set(index, goesOn ? nextIndex - 1 : nextIndex++)
    return !goesOn
  }

  function offer(addition: Addition): void {
    const isNew = addition.type !== 'started' || place(addition)
    const index = indices.get(addition.index)
    if (index === undefined) return
    const events = eventsOf(addition, index, accumulator.block(addition.index))
    for (const event of isNew ? events : events.slice(1)) gate.offer({ event, bytes: undefined }, addition.index)
    onAddition(addition)
  }

  function finish(): void {
    const message = accumulator.message()
    if (message === undefined || client.ended) return
    const wrong = judgeAnswer(message, accumulator.blocks, acceptsInvalidInput)
    if (wrong !== undefined) throw wrong
    for (const unsaid of repetition.end()) offer(unsaid)
    gate.open()
    client.end(message, totalUsage(message.usage))
  }

  return {
    take({ event }) {
      if (event === undefined || client.ended) return
      if (event.type === 'ping') {
        if (client.started) client.send({ event, bytes: undefined })
        return
      }
      const additions = accumulator.add(event)
      if (event.type === 'message_start' && !client.started && additions.length === 0) {
        gate.offer({ event: emptied(event), bytes: undefined }, -1)
      }
      for (const addition of additions) for (const unsaid of repetition.add(addition)) offer(unsaid)
      if (accumulator.ended) finish()
    },
    hasSent: (index) => gate.hasSent(index),
    keep: (kept) => gate.keep(kept),
    finish,
    get ended() {
      return accumulator.ended
    },
    get whole() {
      return accumulator.whole
    },
    get blocks() {
      return repetition.trim(accumulator.blocks)
    },
    get message() {
      return accumulator.message()
    },
  }
}
