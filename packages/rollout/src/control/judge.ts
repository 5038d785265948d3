import { absoluteHarm, absolutePass } from '../method/absolute.ts'
import type { LogE } from '../method/e-value.ts'
import { relativeHarm } from '../method/relative.ts'
import { sampleRatioMismatch } from '../method/sample-ratio.ts'
import type { Metric } from '../plan/metrics.ts'
import type { RolloutGate, RolloutPlan, RolloutStage } from '../plan/plan.ts'
import type { StageEvidence } from './evidence.ts'

/** Evidence and the amount of it that decides. Natural logarithms of e-values. */
export interface Reading {
  readonly logE: LogE
  readonly needed: LogE
}

interface GateReadingBase {
  readonly metric: Metric
  /** The limit: `maxRatio` or `max` of the gate. */
  readonly limit: number
  readonly harm: Reading
  /** Of those that stream: bad units and all units, or for an absolute limit bad and all observations. */
  readonly streaming: { readonly bad: number; readonly units: number }
}

/** What one gate says. A gate that has both limits gives two readings. */
export type GateReading =
  | (GateReadingBase & { readonly kind: 'absolute'; readonly pass: Reading })
  | (GateReadingBase & {
      readonly kind: 'relative'
      readonly control: { readonly bad: number; readonly units: number }
    })

/** What a stage's evidence says, without a clock. */
export interface Judgement {
  readonly gates: readonly GateReading[]
  /** Undefined at 0 percent, where nothing is drawn. */
  readonly sampleRatio: Reading | undefined
  /** The gate that shows harm. */
  readonly harmful: GateReading | undefined
  /** A gate whose evidence would suffice if it were the only gate of the only stage. It blocks promotion. */
  readonly suspicious: GateReading | undefined
  readonly isRatioOff: boolean
  /** Whether each absolute limit is shown to hold. */
  readonly hasPassed: boolean
}

function isReached({ logE, needed }: Reading): boolean {
  return logE >= needed
}

/** Judges the evidence of one stage. Says the same however often it is asked. */
export function judge(plan: RolloutPlan, stage: RolloutStage, evidence: StageEvidence): Judgement {
  const share = stage.percent / 100
  const isDrawn = share > 0 && share < 1
  const tests = plan.gates.flatMap((gate) => testsOf(gate, isDrawn))
  // The processes of two metrics see each other's units, so they must not be averaged: alpha is divided instead.
  const needed = Math.log((plan.stages.length * tests.length) / plan.alpha)
  const gates = tests.map((test) => read(test, evidence, share, needed, Math.log(1 / plan.beta)))
  const sampleRatio = isDrawn
    ? {
        logE: sampleRatioMismatch({ streaming: evidence.streaming.units, control: evidence.control.units }, share),
        needed: Math.log(1 / plan.sampleRatioAlpha),
      }
    : undefined
  const isRatioOff = sampleRatio !== undefined && isReached(sampleRatio)
  // With a wrong ratio the groups cannot be compared. The absolute limits still can be judged.
  const usable = gates.filter(({ kind }) => kind === 'absolute' || !isRatioOff)
  return {
    gates,
    sampleRatio,
    harmful: usable.find(({ harm }) => isReached(harm)),
    suspicious: usable.find(({ harm }) => harm.logE >= Math.log(1 / plan.alpha)),
    isRatioOff,
    hasPassed: gates.every((gate) => gate.kind === 'relative' || isReached(gate.pass)),
  }
}

interface Test {
  readonly kind: 'absolute' | 'relative'
  readonly metric: Metric
  readonly limit: number
}

function testsOf({ metric, maxRatio, max }: RolloutGate, isDrawn: boolean): Test[] {
  return [
    ...(maxRatio !== undefined && isDrawn ? [{ kind: 'relative', metric, limit: maxRatio } as const] : []),
    ...(max === undefined ? [] : [{ kind: 'absolute', metric, limit: max } as const]),
  ]
}

function read(
  { kind, metric, limit }: Test,
  { streaming, control }: StageEvidence,
  share: number,
  harmNeeded: LogE,
  passNeeded: LogE,
): GateReading {
  if (kind === 'relative') {
    const failures = { streaming: streaming.any[metric] ?? 0, control: control.any[metric] ?? 0 }
    return {
      kind,
      metric,
      limit,
      harm: { logE: relativeHarm(failures, share, limit), needed: harmNeeded },
      streaming: { bad: failures.streaming, units: streaming.units },
      control: { bad: failures.control, units: control.units },
    }
  }
  const runs = { units: streaming.observed, bad: streaming.bad[metric] ?? 0 }
  return {
    kind,
    metric,
    limit,
    harm: { logE: absoluteHarm(runs, limit), needed: harmNeeded },
    pass: { logE: absolutePass(runs, limit), needed: passNeeded },
    streaming: runs,
  }
}
