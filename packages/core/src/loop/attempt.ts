import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { createAccumulator } from '../model/accumulator.ts'
import { isMillraceError, type MillraceError } from '../kit/errors.ts'
import { type AssistantMessage, isToolUse, type Message, type ToolUseBlock } from '../protocol/messages.ts'
import { blocksOf } from '../reduce/history.ts'
import type { RequestBody } from '../model/model-client.ts'
import { fault } from '../protocol/faults.ts'
import { linkedController } from '../kit/signals.ts'
import type { StreamEvent, TurnSource } from '../model/turn-source.ts'
import { judgeAnswer } from '../recovery/judge-answer.ts'
import { createRepetitionFilter } from '../recovery/repetition-filter.ts'
import type { ShownTurn } from './shown-turn.ts'

export interface AttemptOptions {
  readonly source: TurnSource
  readonly request: RequestBody
  /** The conversation so far. A middleware may send another one. */
  readonly history: readonly Message[]
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal
  readonly ready: () => Promise<void> | undefined
  readonly onDrain: (drained: Promise<void>) => void
  /** Sends everything that is emitted meanwhile as one batch. */
  readonly batch: <T>(body: () => T) => T
  readonly shown: ShownTurn
  /** The text that this answer goes on from, because it broke; empty for any other. */
  readonly said: string
  /** Told of each call as soon as its block is whole. */
  readonly onCall: (call: ToolUseBlock) => void
  /** Whether a call's input may be no JSON: the model is then told so, instead of being asked again. */
  readonly acceptsInvalidInput: (call: AccumulatedBlock) => boolean
}

/** What came of asking the model once. */
export type AttemptEnd = Arrived &
  (
    | { readonly status: 'whole'; readonly message: AssistantMessage }
    | { readonly status: 'broken'; readonly error: MillraceError }
    | { readonly status: 'interrupted' }
  )

interface Arrived {
  readonly message: AssistantMessage | undefined
  /** Everything that arrived, whole or not, without a repetition of `said`. */
  readonly blocks: readonly AccumulatedBlock[]
}

/** Asks the model once, through either source, and shows what arrives. Never rejects. */
export async function runAttempt(options: AttemptOptions): Promise<AttemptEnd> {
  const { source, request, history, said, signal, ready, onDrain, shown, batch, onCall, acceptsInvalidInput } = options
  const accumulator = createAccumulator(history.flatMap(blocksOf))
  const link = linkedController(signal)
  const repetition = createRepetitionFilter(said)

  /** Takes one batch of the stream; gives an error instead of throwing it, after having shown what came before. */
  function take(events: readonly StreamEvent[]): MillraceError | undefined {
    try {
      for (const event of events) {
        for (const addition of accumulator.add(event)) {
          for (const unsaid of repetition.add(addition)) shown.add(unsaid)
          if (addition.type !== 'finished') continue
          const finished = accumulator.block(addition.index)
          if (finished?.validInput === true && isToolUse(finished.block)) onCall(finished.block)
        }
      }
      return undefined
    } catch (error) {
      return asFault(error)
    } finally {
      shown.endBatch()
    }
  }

  let broken: MillraceError | undefined
  try {
    for await (const events of source.open(request, { signal: link.signal, ready, onDrain })) {
      // One read of the socket stays one batch, all the way to the response.
      broken = batch(() => take(events))
      // Leaving a stream that is whole lets its connection live on; a broken one must be closed.
      if (broken !== undefined) link.abort(broken)
      if (broken !== undefined || accumulator.ended || signal.aborted) break
    }
  } catch (error) {
    broken = asFault(error)
  } finally {
    link.dispose()
  }

  const { whole } = accumulator
  if (whole) repetition.end()
  const message = accumulator.message()
  const blocks = repetition.trim(accumulator.blocks)
  if (whole && message !== undefined) {
    const error = judgeAnswer(message, blocks, acceptsInvalidInput)
    return error === undefined ? { status: 'whole', message, blocks } : { status: 'broken', error, message, blocks }
  }
  if (signal.aborted) return { status: 'interrupted', message, blocks }
  return { status: 'broken', error: broken ?? fault('truncated'), message, blocks }
}

function asFault(error: unknown): MillraceError {
  return isMillraceError(error) ? error : fault('internal', { cause: error })
}
