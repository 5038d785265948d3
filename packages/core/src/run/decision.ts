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

type Evaluation =
  | { readonly status: 'value'; readonly details: FlagDetails<boolean> }
  | { readonly status: 'error' | 'timeout' }

/** Takes the one decision of a run. Never rejects, never takes longer than its deadline; in doubt it does not stream. */
export async function decide(options: DecideOptions): Promise<RunDecision> {
  const { flags, toolNames, explicit, otherwise, withoutFlags } = options
  if (flags === undefined) {
    const streams = explicit ?? withoutFlags
    return decision(streams, explicit === undefined ? 'no_flags' : 'explicit', otherwise, allTools(toolNames, true))
  }
  const keys = [flagKeys.kill, flagKeys.streaming, ...toolNames.map(flagKeys.tool)]
  const [kill, streaming, ...perTool] = await evaluateAll(flags, keys, options)
  if (isOn(kill)) return decision(false, 'killed', otherwise, allTools(toolNames, false), { flag: flagKeys.kill })

  const tools = Object.fromEntries(toolNames.map((name, index) => [name, isOn(perTool[index])]))
  if (explicit !== undefined) return decision(explicit, 'explicit', otherwise, tools)
  const reason =
    streaming?.status === 'value' ? 'flag' : streaming?.status === 'timeout' ? 'flag_timeout' : 'flag_error'
  const on = isOn(streaming)
  const details = streaming?.status === 'value' ? streaming.details : undefined
  return decision(on, reason, otherwise, on ? tools : allTools(toolNames, false), {
    flag: flagKeys.streaming,
    variant: details?.variant,
    flagReason: details?.reason,
    unit: unitOf(options.context),
  })
}

/** Whether the kill switch is on now. A source that cannot say has not pulled it. */
export async function isKilled(
  options: Pick<DecideOptions, 'flags' | 'context' | 'clock' | 'deadline' | 'report'>,
): Promise<boolean> {
  if (options.flags === undefined) return false
  const [kill] = await evaluateAll(options.flags, [flagKeys.kill], options)
  return isOn(kill)
}

function decision(
  streams: boolean,
  reason: DecisionReason,
  otherwise: 'buffered' | 'legacy',
  tools: Readonly<Record<string, boolean>>,
  by: Partial<Record<'flag' | 'flagReason' | 'unit' | 'variant', string | undefined>> = {},
): RunDecision {
  return Object.freeze({
    mode: streams ? 'stream' : otherwise,
    arm: streams ? 'streaming' : 'control',
    reason,
    ...defined(by),
    tools: Object.freeze(tools),
  })
}

/** A checksum, because the decision travels to clients and into stores, and the key may be an address. */
function unitOf({ targetingKey }: FlagContext): string | undefined {
  return targetingKey === undefined || targetingKey === '' ? undefined : checksum(targetingKey)
}

function allTools(names: readonly string[], streams: boolean): Record<string, boolean> {
  return Object.fromEntries(names.map((name) => [name, streams]))
}

function isOn(evaluation: Evaluation | undefined): boolean {
  return evaluation?.status === 'value' && evaluation.details.value
}

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
        return { status: 'timeout' }
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
    const { errorCode } = details
    if (errorCode === undefined) return { status: 'value', details }
    if (errorCode === 'FLAG_NOT_FOUND') return { status: 'value', details: { value: fallback } }
    throw new Error(errorCode)
  } catch (cause) {
    report(new MillraceError('flag_failed', `The flag source failed for "${key}"`, { cause }))
    return { status: 'error' }
  }
}

function isBooleanDetails(value: unknown): value is FlagDetails<boolean> {
  return isRecord(value) && typeof value['value'] === 'boolean'
}
