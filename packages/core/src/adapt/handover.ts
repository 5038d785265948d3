import { MillraceError } from '../kit/errors.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { AdaptedCall } from './adapted-call.ts'
import type { AdaptedRun, Driven } from './adapted-run.ts'
import { planHandover } from './handover-plan.ts'
import { callLegacy } from './legacy-turn.ts'
import { reasonOf } from '../protocol/faults.ts'

/** Gives a failed run to the legacy loop, as far as that repeats neither a call nor a word. */
export async function handOver<R>(
  run: AdaptedRun<R>,
  call: AdaptedCall<R>,
  input: RunInput,
  result: RunResult,
): Promise<Driven<R>> {
  const { handle, progress } = run
  const error = result.error ?? new MillraceError('internal', 'the run failed')
  const plan = planHandover(run, input, result, error)
  if ('error' in plan) return { result: { ...result, ...plan }, value: { from: 'result' } }
  const turn = Math.max(result.turns, 1)
  const stage = progress.shown.blocks(turn).length > 0 ? 'after_output' : 'before_output'
  handle.report(error)
  handle.emit({ type: 'fallback', turn, from: progress.lastMode, to: 'legacy', reason: reasonOf(error), stage })
  return callLegacy({ run, call, soFar: { ...result, error }, begin: plan, input })
}
