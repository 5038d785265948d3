import type { MillraceError } from '../kit/errors.ts'
import { isBlank, type Message, textOf } from '../protocol/messages.ts'
import { cannotRetract } from '../recovery/ladder.ts'
import { recoveryDefaults } from '../recovery/policy.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import { blocksOf, closeHistory, userMessage } from '../reduce/history.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import { readRetraction } from '../run/read-input.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { AdaptedRun } from './adapted-run.ts'

/** Where the legacy loop begins after a run that failed, or why it may not. */
export type HandoverPlan = Begin | { readonly error: MillraceError }

/** Where the legacy loop begins. */
export interface Begin {
  /** The turns to retract first. */
  readonly retract: readonly number[]
  /** The legacy loop goes on from these, added to the history; without them it is called with the caller's arguments. */
  readonly newMessages?: readonly Message[]
  /** Whether those end with the request to go on with an answer that broke. */
  readonly continues?: true
}

/** Decides where the legacy loop may begin, so that it repeats neither a call nor a word. */
export function planHandover<R>(
  { settings, handle, ledger, progress, taken }: AdaptedRun<R>,
  input: RunInput,
  result: RunResult,
  error: MillraceError,
): HandoverPlan {
  // Another process drives the run, or may take it over.
  if (error.code === 'lease_lost' || handle.lost() !== undefined) return { error }
  // Asking from the start would repeat what a server tool may have done.
  if (error.code === 'server_tool_outcome_unknown' || result.unfinished?.repeatable === false) return { error }
  const retraction = readRetraction(input, settings.agent.retraction ?? 'auto')
  // Text that is held back until its turn is whole cannot be retracted once the turn is.
  const canRetract = retraction === 'retract'
  const { unfinished, newMessages } = result
  const committed = newMessages.slice(0, unfinished?.committed ?? newMessages.length)
  const { shown } = progress
  const shownTurns = shown.turns
  // Only text binds: a consumer that cannot retract it had no way to retract the rest either.
  const hasText = (turn: number): boolean => shown.blocks(turn).some(({ kind }) => kind === 'text')
  const isBound = (turns: readonly number[]): boolean => !canRetract && turns.some(hasText)
  const { handover } = settings

  const executed = ledger.entries.some(({ readOnly }) => !readOnly)
  if (committed.length === 0 && !executed) {
    if (!isBound(shownTurns)) return { retract: shownTurns }
    if (handover !== 'history' || retraction === 'fail') return { error: cannotRetract(error) }
    return goOnFromPartial(newMessages, shown, error)
  }
  if (handover === 'restart') {
    // The ledger of the process that died is lost.
    if (taken !== undefined) return { error }
    // The tools can answer from the ledger; what server tools did, nothing can.
    if (!mayAskAgain('reads', committed.flatMap(blocksOf))) return { error }
    return isBound(shownTurns) ? { error: cannotRetract(error) } : { retract: shownTurns }
  }
  if (handover === 'none') return { error }
  const broken = unfinished?.turn ?? progress.finished + 1
  const plan =
    unfinished?.continues === true
      ? { ...withPrompt(committed), retract: shownTurns.filter((turn) => turn >= broken) }
      : goOnFromCommitted(committed, error, shownTurns, broken)
  if ('error' in plan || !isBound(plan.retract)) return plan
  return retraction === 'fail' ? { error: cannotRetract(error) } : goOnFromPartial(newMessages, shown, error)
}

/** The partial answer stays, and the legacy loop is asked to go on where it stopped. */
function goOnFromPartial(newMessages: readonly Message[], shown: ShownText, error: MillraceError): HandoverPlan {
  // A legacy loop that is not told of shown text says it again: a remote agent may show text without giving its content.
  if (shownText(shown) !== saidText(newMessages)) return { error: cannotRetract(error) }
  return { ...withPrompt(newMessages), retract: [] }
}

function withPrompt(messages: readonly Message[]): Pick<Begin, 'newMessages' | 'continues'> {
  const prompt = userMessage([{ type: 'text', text: recoveryDefaults.continuePrompt }])
  return { newMessages: [...closeHistory(messages, 'The call was not run'), prompt], continues: true }
}

/** Returns all text that is shown, but for blank blocks: history has none. */
function shownText(shown: ShownText): string {
  return shown.turns
    .flatMap((turn) => shown.blocks(turn))
    .map(({ kind, text }) => (kind === 'text' && !isBlank(text) ? text : ''))
    .join('')
}

function saidText(messages: readonly Message[]): string {
  return messages
    .filter(({ role }) => role === 'assistant')
    .flatMap(blocksOf)
    .map(textOf)
    .join('')
}

/**
 * Goes on from the last message that a request may end with. A paused answer is left out and retracted, if its server
 * tools may run again. `broken`: the turn that failed, or would have been next.
 */
function goOnFromCommitted(
  committed: readonly Message[],
  error: MillraceError,
  shownTurns: readonly number[],
  broken: number,
): HandoverPlan {
  const end = committed.findLastIndex(({ role }) => role === 'user') + 1
  const paused = committed.slice(end)
  const repeatable = mayAskAgain('reads', paused.flatMap(blocksOf))
  const firstRetracted = broken - paused.length
  const retract = shownTurns.filter((turn) => turn >= firstRetracted)
  if (!repeatable) return { error }
  return { newMessages: committed.slice(0, end), retract }
}
