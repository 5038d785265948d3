import { emitFallback, type OpenTurn, saidWith } from '../loop/open-turn.ts'
import type { RunContext } from '../loop/run-context.ts'
import type { TurnResult } from '../loop/turn-result.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { cannotRetract, isBound, noFailures, outcomeUnknown } from '../recovery/ladder.ts'
import { mayAskAgain } from '../recovery/server-tools.ts'
import { keptOfPartial } from '../reduce/history.ts'

/**
 * Keeps what is there of a turn whose process died, if it must not be asked again from its start.
 *
 * @param arrived its text, and the server tools that it had called; of their results nothing is known
 */
export function keepReopened(
  run: RunContext,
  open: OpenTurn,
  attempt: number,
  arrived: readonly AccumulatedBlock[],
): TurnResult | undefined {
  const { retraction, settings } = run
  const reason = 'connection_lost'
  const content = arrived.map(({ block }) => block)
  const repeatable = mayAskAgain(settings.recovery.retryAfterServerTools, content)
  if (repeatable && !(isBound(retraction) && open.shown.hasText)) return undefined
  const result = { open, attempt, mode: 'stream', message: undefined, reason } as const
  open.shown.begin(attempt, reason)
  if (!repeatable || retraction === 'fail') {
    return { ...result, blocks: arrived, status: 'failed', error: repeatable ? cannotRetract() : outcomeUnknown() }
  }
  emitFallback(run, open, 'stream', 'continue', reason)
  const blocks = keptOfPartial(arrived)
  const said = saidWith(open, blocks)
  const next = { type: 'continued', said, failures: noFailures, request: 'stream', delay: 0 } as const
  return { ...result, blocks, status: 'continued', next }
}
