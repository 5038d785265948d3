import { defined } from '../kit/defined.ts'
import { MillraceError } from '../kit/errors.ts'
import { checksum } from '../protocol/events.ts'
import type { DecisionReason, RunDecision } from '../protocol/run-decision.ts'
import { type FlagClient, type FlagContext, type FlagDetails, flagKeys } from './flag-client.ts'
import { isRecord } from '../kit/guards.ts'
import { type Clock, timeLimit } from '../kit/clock.ts'

export interface DecideOptions {
  readonly flags: FlagClient | undefined
  readonly context: FlagContext
  readonly clock: Clock
  /** Milliseconds for all flags together. */
  readonly deadline: number
  readonly toolNames: readonly string[]
  /** The caller's own wish, which wins over flags, but not over the kill switch. */
  readonly explicit: boolean | undefined
  /** What a run does that does not stream. */
  readonly otherwise: 'buffered' | 'legacy'
  /** What happens where there is no flag source. */
  readonly withoutFlags: boolean
  readonly report: (error: MillraceError) => void
}

interface Evaluation {
  readonly isOn: boolean
  /** `flag`, or why the flag source gave no value. */
  readonly reason: DecisionReason
  readonly variant?: string | undefined
  /** What the flag source gave as its reason. */
  readonly flagReason?: string | undefined
}

/** Takes the one decision of a run. Never rejects, never takes longer than its deadline; in doubt it does not stream. */
export async function decide(options: DecideOptions): Promise<RunDecision> {
  const { flags, toolNames, explicit, otherwise, withoutFlags } = options
  const decision = (
    streams: boolean,
    reason: DecisionReason,
    isToolOn: (index: number) => boolean,
    by: Partial<Record<'flag' | 'flagReason' | 'unit' | 'variant', string | undefined>> = {},
  ): RunDecision =>
    Object.freeze({
      mode: streams ? 'stream' : otherwise,
      arm: streams ? 'streaming' : 'control',
      reason,
      ...defined(by),
      tools: Object.freeze(Object.fromEntries(toolNames.map((name, index) => [name, isToolOn(index)]))),
    })
  if (flags === undefined) {
    return decision(explicit ?? withoutFlags, explicit === undefined ? 'no_flags' : 'explicit', () => true)
  }
  const keys = [flagKeys.kill, flagKeys.streaming, ...toolNames.map(flagKeys.tool)]
  const [kill, streaming = failed, ...perTool] = await evaluateAll(flags, keys, options)
  const isToolOn = (index: number): boolean => perTool[index]?.isOn === true
  if (kill?.isOn === true) return decision(false, 'killed', () => false, { flag: flagKeys.kill })
  if (explicit !== undefined) return decision(explicit, 'explicit', isToolOn)
  const { isOn, reason, variant, flagReason } = streaming
  const by = { flag: flagKeys.streaming, variant, flagReason, unit: unitOf(options.context) }
  return decision(isOn, reason, (index) => isOn && isToolOn(index), by)
}

/** A checksum, because the decision travels to clients and into stores, and the key may be an address. */
function unitOf({ targetingKey }: FlagContext): string | undefined {
  return targetingKey === undefined || targetingKey === '' ? undefined : checksum(targetingKey)
}

/** Whether the kill switch is on now. A source that cannot say has not pulled it. */
export async function isKilled(
  options: Pick<DecideOptions, 'flags' | 'context' | 'clock' | 'deadline' | 'report'>,
): Promise<boolean> {
  if (options.flags === undefined) return false
  const [kill = failed] = await evaluateAll(options.flags, [flagKeys.kill], options)
  return kill.isOn
}

const failed: Evaluation = { isOn: false, reason: 'flag_error' }

/** Evaluates all keys at once, within one deadline. */
async function evaluateAll(
  flags: FlagClient,
  keys: readonly string[],
  { context, clock, deadline, report }: Pick<DecideOptions, 'context' | 'clock' | 'deadline' | 'report'>,
): Promise<Evaluation[]> {
  const limit = timeLimit(clock, deadline)
  try {
    return await Promise.all(
      keys.map(async (key): Promise<Evaluation> => {
        const evaluation = await Promise.race([evaluate(flags, key, context, report), limit.over])
        if (evaluation !== undefined) return evaluation
        report(new MillraceError('flag_failed', `The flag source did not answer for "${key}" within ${deadline} ms`))
        return { isOn: false, reason: 'flag_timeout' }
      }),
    )
  } finally {
    limit.cancel()
  }
}

async function evaluate(
  flags: FlagClient,
  key: string,
  context: FlagContext,
  report: (error: MillraceError) => void,
): Promise<Evaluation> {
  // A tool streams unless its flag says no; streaming itself and its end must be said.
  const fallback = key !== flagKeys.streaming && key !== flagKeys.kill
  try {
    const details: unknown = await flags.getBooleanDetails(key, fallback, context)
    if (!isBooleanDetails(details)) throw new TypeError('not a boolean flag')
    const { errorCode, value, variant, reason: flagReason } = details
    if (errorCode === 'FLAG_NOT_FOUND') return { isOn: fallback, reason: 'flag' }
    if (errorCode !== undefined) throw new Error(errorCode)
    return { isOn: value, reason: 'flag', variant, flagReason }
  } catch (cause) {
    report(new MillraceError('flag_failed', `The flag source failed for "${key}"`, { cause }))
    return failed
  }
}

function isBooleanDetails(value: unknown): value is FlagDetails<boolean> {
  return isRecord(value) && typeof value['value'] === 'boolean'
}
