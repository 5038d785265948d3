export { act, type Actor, type RolloutAction } from './control/act.ts'
export { decide, type Look } from './control/decide.ts'
export { type GroupEvidence, noEvidence, type StageEvidence } from './control/evidence.ts'
export { type GateReading, judge, type Judgement, type Reading } from './control/judge.ts'
export { formatEvidence } from './control/sentences.ts'
export {
  draftState,
  type Exposure,
  exposureOf,
  type LogAction,
  type LogEntry,
  type RolloutState,
  type RolloutStatus,
  type Waiting,
} from './control/state.ts'
export { formatDuration, readDuration } from './plan/duration.ts'
export { type Metric, metricNames } from './plan/metrics.ts'
export type { BucketingUnit, RolloutGate, RolloutPlan, RolloutStage } from './plan/plan.ts'
export { readPlan } from './plan/read-plan.ts'
export { twoWeekPlan } from './plan/two-weeks.ts'
export { simulate } from './simulate/simulate.ts'
export { type Quantiles, type SimulationSummary, summarize } from './simulate/summarize.ts'
export type { Change, Rates, SimulatedRollout, World } from './simulate/world.ts'
export { createRecorder, type RecorderOptions, type RolloutRecorder } from './record/recorder.ts'
export { createRollout, type Rollout, type RolloutOptions, type RolloutReport } from './run/rollout.ts'
export {
  callbackTarget,
  type CallbackTargetOptions,
  type RolloutTarget,
  stateTarget,
  type StateTargetOptions,
  type TargetExposure,
} from './run/target.ts'
export { type Scenario, type ScenarioOptions, scenariosFor } from './simulate/scenarios.ts'
export { prometheusEvidence, type PrometheusEvidenceOptions } from './record/prometheus-evidence.ts'
