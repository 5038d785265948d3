import type { Job, LoopReport } from '../grade/job.ts'
import { ask, askWholePatiently, type TurnAnswer } from './ask.ts'
import { converse, reportTalk, runJobTool, startTalk, type Talk } from './converse.ts'
import { type IncompleteStream, readStream } from './read-stream.ts'
import type { ContentBlock } from '../script/turn.ts'

/** What a client shows. Text can be retracted. */
export interface Screen {
  text: string
}

/**
 * The places in which the mutants of a streaming loop differ. The defaults are right as far as this small loop goes.
 */
export interface StreamingHabits {
  /** What an incomplete stream is. Default: an error. */
  readonly incomplete?: IncompleteStream
  /** Called for each piece of text; puts it on the screen. */
  readonly show?: (screen: Screen, text: string) => void
  /** Called after a turn whose stream broke; `before` is what was shown when it began. Default: retracts the text. */
  readonly retract?: (screen: Screen, before: string) => void
  /** Called when a block is complete, before its turn is. */
  readonly onBlock?: (block: ContentBlock) => void
  readonly runTool?: (call: ContentBlock) => Promise<string>
  /** Asks a turn again whose stream broke. Default: without streaming. Its text is shown by `show`, in one piece. */
  readonly askAgain?: (messages: readonly unknown[]) => Promise<TurnAnswer>
}

/** Streams the whole job, and asks a turn again if its stream broke. Rejects if that fails as well. */
export async function streamTalk(job: Job, talk: Talk, screen: Screen, habits: StreamingHabits): Promise<LoopReport> {
  const { incomplete = 'error', show = append, retract = restore, onBlock = ignore } = habits
  const { askAgain = (messages) => askWholePatiently(job, messages) } = habits
  const onText = (text: string): void => {
    show(screen, text)
    talk.clientFacing.push({ type: 'text', text })
  }
  const askTurn = async (messages: readonly unknown[]): Promise<TurnAnswer> => {
    const before = screen.text
    try {
      return await ask(job, messages, true, (response, alive) =>
        readStream(response, alive, { onText, onBlock }, incomplete),
      )
    } catch {
      retract(screen, before)
      const answer = await askAgain(messages)
      for (const block of answer.content) if (block.type === 'text') onText(String(block.text))
      return answer
    }
  }
  const outcome = await converse(talk, askTurn, habits.runTool ?? ((call) => runJobTool(job, call)))
  return reportTalk(job, talk, { outcome }, screen.text)
}

/** Does the same as a loop under test: a failure becomes a report. */
export async function streamingLoop(job: Job, habits: StreamingHabits): Promise<LoopReport> {
  const talk = startTalk(job)
  const screen: Screen = { text: '' }
  try {
    return await streamTalk(job, talk, screen, habits)
  } catch (error) {
    return reportTalk(job, talk, { outcome: 'failed', error })
  }
}

function append(screen: Screen, text: string): void {
  screen.text += text
}

function restore(screen: Screen, before: string): void {
  screen.text = before
}

function ignore(): void {
  // A loop that waits for the whole turn does nothing about a single block.
}
