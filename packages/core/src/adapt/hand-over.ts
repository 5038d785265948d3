import type { RunHandle } from '../run/create-run.ts'
import { MillraceError } from '../kit/errors.ts'
import type { FallbackReason } from '../protocol/events.ts'
import { answerText, assistantMessage, blocksOf, closeHistory, userMessage } from '../reduce/history.ts'
import type { Message } from '../protocol/messages.ts'
import { readRetraction } from '../run/read-input.ts'
import { isFaultCode } from '../protocol/faults.ts'
import { cannotRetract } from '../recovery/ladder.ts'
import { recoveryDefaults } from '../recovery/policy.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { LedgerEntry, ToolLedger } from '../run/tool-ledger.ts'
import type { AdaptLoopOptions } from './adapt-options.ts'
import {
  completedResult,
  type Driven,
  emitLegacyText,
  type HandedOver,
  legacyAnswer,
  readLegacy,
  type Relayed,
  silence,
  thrownResult,
} from './legacy-run.ts'

interface HandOver<This, Args extends unknown[], R> {
  readonly options: AdaptLoopOptions<This, Args, R>
  readonly self: This
  readonly args: Args
  readonly handle: RunHandle
  readonly input: RunInput
  /** How the run failed. */
  readonly result: RunResult
  readonly ledger: ToolLedger
  readonly relayed: Relayed
}

/** Where the legacy loop begins, or why it may not. */
type Plan = Begin | { readonly error: MillraceError }

interface Begin {
  /** The turns to withdraw first. */
  readonly retract: readonly number[]
  /** From these, added to the history; without them with the caller's arguments, as if nothing had happened. */
  readonly newMessages?: readonly Message[]
}

/** Gives a failed run to the legacy loop, as far as that neither repeats a call nor a word. */
export async function handOver<This, Args extends unknown[], R>(given: HandOver<This, Args, R>): Promise<Driven<R>> {
  const { options, handle, input, result, ledger, relayed } = given
  const error = result.error ?? new MillraceError('internal', 'The run failed')
  const plan = makePlan(given, error)
  if ('error' in plan) return { result: { ...result, ...plan }, end: plan }
  const reason: FallbackReason = isFaultCode(error.code) ? error.code : 'internal'
  const turn = Math.max(result.turns, 1)
  const stage = relayed.shown.has(turn) ? 'after_output' : 'before_output'
  handle.report(error)
  handle.emit({ type: 'fallback', turn, from: relayed.lastMode, to: 'legacy', reason, stage })
  handle.emit({ type: 'turn.started', turn: turn + 1, attempt: 1, mode: 'legacy' })
  // Only when there is something to show instead: if the legacy loop fails as well, what was said stays.
  // The last first: a reader with one text for all turns takes each from its end.
  const toRetract = plan.retract.toReversed()
  const retract = (): void => {
    for (const withdrawn of toRetract.splice(0)) {
      handle.emit({ type: 'turn.retracted', turn: withdrawn, attempt: 1, fromBlock: 0, fromOffset: 0, reason })
    }
  }
  if (options.legacyReports === true) {
    // It writes where the caller's text stands, before we know its answer.
    retract()
    silence(handle, input)
  }

  const { newMessages = [] } = plan
  const handed: HandedOver = {
    runId: handle.runId,
    signal: handle.signal,
    messages: [...givenMessages(result), ...newMessages],
    newMessages,
    ledger,
    error,
  }
  try {
    return plan.newMessages === undefined
      ? await callAnew(given, handed, retract, turn + 1)
      : await letGoOn(given, handed, retract, turn + 1)
  } catch (cause) {
    const message = 'The run failed, and so did the loop it was handed over to'
    return { result: thrownResult(result, message, cause, [handle.signal, ...given.args]), end: { error: cause } }
  }
}

function givenMessages({ messages, newMessages }: RunResult): readonly Message[] {
  return messages.slice(0, messages.length - newMessages.length)
}

/** The legacy loop from its start: its result is the caller's, untouched. */
async function callAnew<This, Args extends unknown[], R>(
  { options, self, args, handle, ledger, result }: HandOver<This, Args, R>,
  handed: HandedOver,
  retract: () => void,
  turns: number,
): Promise<Driven<R>> {
  const { legacy, handover, scope } = options
  const call = (): Promise<R> => legacy.apply(self, args)
  const onReuse = ({ name, input, toolUseId, result: told, outcome }: LedgerEntry): void =>
    handle.emit({
      type: 'tool.finished',
      toolUseId,
      name,
      input,
      turn: turns,
      result: told,
      outcome,
      durationMs: 0,
      reused: true,
    })
  const value = await (handover === 'restart' && scope !== undefined ? scope.run({ ledger, onReuse }, call) : call())
  const { messages, text } = legacyAnswer(handover, self, args, value, handed, handle)
  retract()
  emitLegacyText(handle, turns, text)
  const completed = completedResult(handle.runId, givenMessages(result), messages, text)
  return { result: { ...completed, usage: result.usage, turns }, end: { value } }
}

/** The legacy loop from the history so far: what it adds is merged with what the run had. */
async function letGoOn<This, Args extends unknown[], R>(
  { options, self, args, handle, result }: HandOver<This, Args, R>,
  handed: HandedOver,
  retract: () => void,
  turns: number,
): Promise<Driven<R>> {
  const { legacy, handover, fromResult } = options
  if (typeof handover !== 'object') throw new TypeError('unreachable')
  const value = await legacy.apply(self, handover.toArgs.apply(self, [handed, ...args]))
  const added = readLegacy(handover, self, args, value, handed)
  retract()
  emitLegacyText(handle, turns, added.text)
  const newMessages = [...handed.newMessages, ...added.messages]
  const said = added.messages.length > 0 ? [] : [assistantMessage([{ type: 'text', text: added.text }])]
  const text = answerText([...newMessages, ...said])
  const completed = completedResult(handle.runId, givenMessages(result), newMessages, text)
  const merged = { ...completed, usage: result.usage, turns }
  return { result: merged, end: { value: await fromResult.apply(self, [merged, ...args]) } }
}

function makePlan<This, Args extends unknown[], R>(
  { options, input, result, ledger, relayed }: HandOver<This, Args, R>,
  error: MillraceError,
): Plan {
  // Another process drives the run.
  if (error.code === 'lease_lost') return { error }
  // Asking from the start would repeat what a server tool may have done.
  if (error.code === 'server_tool_outcome_unknown' || result.unfinished?.repeatable === false) return { error }
  const retraction = readRetraction(input, options.agent.retraction ?? 'auto')
  // Who has text held back until its turn is whole cannot take back that of a turn that was.
  const canRetract = retraction === 'retract'
  const { unfinished, newMessages } = result
  const committed = newMessages.slice(0, unfinished?.committed ?? newMessages.length)
  const shownTurns = [...relayed.shown.keys()]
  // Only text binds: who cannot withdraw it never had a way to withdraw the rest.
  const isBound = (turns: readonly number[]): boolean => !canRetract && turns.some((turn) => relayed.shown.get(turn))
  const { handover } = options

  const executed = ledger.entries.some(({ readOnly }) => !readOnly)
  if (committed.length === 0 && !executed) {
    if (!isBound(shownTurns)) return { retract: shownTurns }
    if (typeof handover !== 'object' || retraction === 'fail') return { error: cannotRetract(error) }
    return goOnFromPartial(newMessages)
  }
  if (handover === 'restart') {
    // Its tools can answer from the ledger; what server tools did, nobody can.
    if (!mayAskAgain('reads', committed.flatMap(blocksOf))) return { error }
    return isBound(shownTurns) ? { error: cannotRetract(error) } : { retract: shownTurns }
  }
  if (handover === undefined) return { error }
  const plan = goOnFromCommitted(committed, error, relayed, unfinished?.turn ?? relayed.finished + 1)
  if ('error' in plan || !isBound(plan.retract)) return plan
  return retraction === 'fail' ? { error: cannotRetract(error) } : goOnFromPartial(newMessages)
}

/** The partial answer stays, and the legacy loop is asked to go on where it stopped. */
function goOnFromPartial(newMessages: readonly Message[]): Plan {
  const prompt = userMessage([{ type: 'text', text: recoveryDefaults.continuePrompt }])
  return { newMessages: [...closeHistory(newMessages, 'The call was not run'), prompt], retract: [] }
}

/**
 * From the last message that a request may end with. A paused answer is none: it is left out, and withdrawn, where its
 * server tools may run again. `broken`: the turn that failed, or would have been next.
 */
function goOnFromCommitted(
  committed: readonly Message[],
  error: MillraceError,
  relayed: Relayed,
  broken: number,
): Plan {
  const end = committed.findLastIndex(({ role }) => role === 'user') + 1
  const paused = committed.slice(end)
  const repeatable = mayAskAgain('reads', paused.flatMap(blocksOf))
  const firstWithdrawn = broken - paused.length
  const retract = [...relayed.shown.keys()].filter((turn) => turn >= firstWithdrawn)
  if (!repeatable) return { error }
  return { newMessages: committed.slice(0, end), retract }
}
