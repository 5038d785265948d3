import {
  answerText,
  closeHistory,
  type AgentEvent,
  type Message,
  mayAskAgain,
  type MillraceError,
  type RunOutcome,
  type RunResult,
  type ToolFinished,
} from '@millrace/core'
import { assistantMessage, continuePrompt, createHistoryFold, type HistoryFold } from '@millrace/core/reduce'

/** The history of a remote run, rebuilt from its events, raw content included. */
export interface RemoteHistory {
  take(event: AgentEvent): void
  /** The calls of the last committed turn whose end never came. */
  unsettled(): readonly Pick<ToolFinished, 'toolUseId' | 'name' | 'input' | 'turn'>[]
  /** Whether a turn showed text and has no content, which means that the server does not send raw content. */
  readonly lacksContent: boolean
  result(end: RemoteEnd): RunResult
}

export interface RemoteEnd {
  readonly outcome: RunOutcome
  readonly error?: MillraceError
}

export function remoteHistory(runId: string, given: readonly Message[]): RemoteHistory {
  const fold = createHistoryFold(continuePrompt)
  let lacksContent = false
  return {
    take(event) {
      if (event.type === 'turn.finished' && event.content.length === 0 && shownTexts(fold).length > 0) {
        lacksContent = true
      }
      fold.apply(event)
    },
    unsettled() {
      const calls = fold.open === undefined ? fold.calls.filter(({ id }) => !fold.settled.has(id)) : []
      return calls.map(({ id, name, input }) => ({ toolUseId: id, name, input, turn: fold.turn }))
    },
    get lacksContent() {
      return lacksContent
    },
    result: (end) => toResult(fold, runId, given, end),
  }
}

function toResult(
  fold: HistoryFold,
  runId: string,
  given: readonly Message[],
  { outcome, error }: RemoteEnd,
): RunResult {
  const { open, last, calls, settled, committed } = fold
  const ranCalls = calls.some(({ id }) => settled.get(id)?.outcome !== 'cancelled')
  // A run that ends otherwise is not gone on with: its history must not end with a prompt that nobody wrote.
  if (outcome === 'failed' || fold.kept !== 'continue') fold.answer('The call was not run: the run ended')
  // What was shown of a turn whose end never came stays, so that history is what was shown.
  const partial = shownTexts(fold).map((text) => ({ type: 'text', text }))
  const added = partial.length > 0 ? [...fold.messages, assistantMessage(partial)] : fold.messages
  const newMessages = closeHistory(added, 'The call was not run: the run ended')
  const turn = open?.turn ?? fold.turn
  // A turn that broke has no stop reason, and neither has that of a legacy loop, which ends the run.
  const isBroken = last !== undefined && last.stopReason === null && last.mode !== 'legacy' && !ranCalls
  const isUnfinished = outcome === 'failed' && turn > 0 && (open !== undefined || isBroken)
  return {
    runId,
    outcome,
    stopReason: fold.stopReason,
    messages: [...given, ...newMessages],
    newMessages,
    text: answerText(newMessages),
    usage: fold.usage,
    turns: turn,
    ...(error && { error }),
    ...(isUnfinished && { unfinished: { turn, committed, ...(!isRepeatable(fold) && { repeatable: false }) } }),
  }
}

/** Whether the broken turn may be asked again: it had called no server tool whose effects that could repeat. */
function isRepeatable({ open, last }: HistoryFold): boolean {
  const shown = open?.blocks.map(({ kind, toolUseId: id, name }) => ({ type: kind, id: id ?? '', name: name ?? '' }))
  return mayAskAgain('reads', shown ?? last?.content ?? [])
}

/** Returns the texts of the open turn, without blank ones, which are not part of history. */
function shownTexts({ open }: HistoryFold): readonly string[] {
  const blocks = open?.blocks ?? []
  return blocks.filter(({ kind, text }) => kind === 'text' && text.trim() !== '').map(({ text }) => text)
}
