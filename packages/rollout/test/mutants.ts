import { decide } from '../src/control/decide.ts'
import type { StageEvidence } from '../src/control/evidence.ts'
import { stageOf } from '../src/control/state.ts'
import { relativeHarm } from '../src/method/relative.ts'
import type { LookAt } from '../src/simulate/simulate.ts'

/** Rolls back where `isHarmful` says so, and otherwise does what the real controller does. */
function rollingBackOn(isHarmful: (evidence: StageEvidence, percent: number, epoch: number) => boolean): LookAt {
  return (plan, state, evidence, now) =>
    isHarmful(evidence, stageOf(plan, state).percent, state.epoch)
      ? { ...state, status: 'rolled_back' }
      : decide(plan, state, evidence, now).next
}

/** Tests for a difference at each look as if it were the only one. */
export function peekingZTest(): LookAt {
  return rollingBackOn(({ streaming, control }) => {
    const failed = [streaming.any.run_error ?? 0, control.any.run_error ?? 0] as const
    const pooled = (failed[0] + failed[1]) / (streaming.units + control.units)
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / streaming.units + 1 / control.units))
    const difference = failed[0] / streaming.units - failed[1] / control.units
    return failed[0] >= 5 && difference / error > 1.645
  })
}

/** Adds up the counts of all stages, in which the groups had other shares. */
export function pooledOverStages(alpha: number): LookAt {
  const epochs = new Map<number, StageEvidence>()
  return rollingBackOn((evidence, _percent, epoch) => {
    if (epoch === 1) epochs.clear()
    epochs.set(epoch, evidence)
    const sum = (read: (stage: StageEvidence) => number): number =>
      [...epochs.values()].reduce((total, stage) => total + read(stage), 0)
    const units = { streaming: sum((stage) => stage.streaming.units), control: sum((stage) => stage.control.units) }
    const failures = {
      streaming: sum((stage) => stage.streaming.any.run_error ?? 0),
      control: sum((stage) => stage.control.any.run_error ?? 0),
    }
    if (units.streaming === 0 || units.control === 0) return false
    return relativeHarm(failures, units.streaming / (units.streaming + units.control), 1) >= Math.log(1 / alpha)
  })
}
