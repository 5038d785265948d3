import { metricNames } from '../plan/metrics.ts'
import type { BucketingUnit, RolloutStage } from '../plan/plan.ts'
import type { GateReading, Judgement, Reading } from './judge.ts'

/** Says in one sentence why a stage is rolled back. */
export function harmSentence(gate: GateReading, stage: RolloutStage, unit: BucketingUnit): string {
  return `rolled back "${stage.name}" (${stage.percent} %): ${gateSentence(gate, stage, unit)}; ${weight(gate.harm)}`
}

/** Says in one sentence why a stage with some evidence of harm is not promoted. */
export function suspicionSentence({ suspicious }: Judgement, stage: RolloutStage, unit: BucketingUnit): string {
  if (suspicious === undefined) return `"${stage.name}" waits: a gate looks worse than it should`
  return `"${stage.name}" waits: ${gateSentence(suspicious, stage, unit)}; ${weight(suspicious.harm)}`
}

/** Says in one sentence why a stage is promoted. */
export function passSentence({ gates }: Judgement, stage: RolloutStage, unit: BucketingUnit): string {
  const shown = gates.flatMap((gate) =>
    gate.kind === 'absolute'
      ? [`${metricNames[gate.metric]} ${part(gate.streaming)}, below ${percent(gate.limit)}`]
      : [],
  )
  return `"${stage.name}" passed: observations of ${plural(unitOf(stage, unit))} that stream: ${shown.join('; ')}; no gate shows harm`
}

/** Says in one sentence that the groups do not have the sizes they were drawn with. */
export function ratioSentence({ gates, sampleRatio }: Judgement, stage: RolloutStage): string {
  const compared = gates.find((gate) => gate.kind === 'relative')
  const sizes =
    compared?.kind === 'relative'
      ? `, with ${compared.streaming.units} streaming and ${compared.control.units} control`
      : ''
  const evidence = sampleRatio === undefined ? '' : `; ${weight(sampleRatio)}`
  return `"${stage.name}" waits: the groups are not drawn ${stage.percent} to ${100 - stage.percent}${sizes}${evidence}`
}

function gateSentence(gate: GateReading, stage: RolloutStage, unit: BucketingUnit): string {
  const units = plural(unitOf(stage, unit))
  const streaming = `${metricNames[gate.metric]} in ${part(gate.streaming)} ${units} that stream`
  if (gate.kind === 'absolute') {
    const observed = `${metricNames[gate.metric]} in ${part(gate.streaming)} observations of ${units} that stream`
    return `${observed}, limit ${percent(gate.limit)}`
  }
  const limit = gate.limit === 1 ? 'limit: no more often' : `limit: ${gate.limit} times as often`
  return `${streaming} and ${part(gate.control)} of the control group, ${limit}`
}

function unitOf(stage: RolloutStage, unit: BucketingUnit): string {
  return stage.count === 'run' ? 'run' : unit
}

function plural(noun: string): string {
  return `${noun}s`
}

function part({ bad, units }: { readonly bad: number; readonly units: number }): string {
  return `${bad} of ${units}`
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

function weight({ logE, needed }: Reading): string {
  return `evidence ${formatEvidence(logE)} to 1, needed ${formatEvidence(needed)} to 1`
}

/** Formats the logarithm of an e-value as the value, in three digits. */
export function formatEvidence(logE: number): string {
  if (logE > Math.log(1e6)) return `10^${Math.round(logE / Math.LN10)}`
  const value = Math.exp(logE)
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)))
}
