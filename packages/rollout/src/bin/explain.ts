import { formatDuration } from '../plan/duration.ts'
import { metricNames } from '../plan/metrics.ts'
import type { RolloutGate, RolloutPlan, RolloutStage } from '../plan/plan.ts'
import { bar, percent, table } from './draw.ts'

/** Says in words what a plan does. */
export function explainPlan(plan: RolloutPlan): string[] {
  const shortest = plan.stages.reduce((sum, { minDwell }) => sum + minDwell, 0)
  return [
    `"${plan.name}" rolls out the flag "${plan.flag}" in ${plan.stages.length} stages, ${formatDuration(shortest)} at the least.`,
    `Units are drawn and counted by ${plan.unit}.`,
    '',
    ...table(plan.stages.map(explainStage)),
    '',
    'A stage is rolled back if',
    ...plan.gates.flatMap(explainHarm),
    `The probability of a false rollback is at most ${percent(plan.alpha)} over all stages and gates.`,
    '',
    'A stage is promoted if it was watched long enough, its data are fresh, the groups have the sizes they were drawn with,',
    'no gate looks suspicious, and it is shown that',
    ...plan.gates.flatMap(({ metric, max }) =>
      max === undefined ? [] : [`  - ${metricNames[metric]} are below ${percent(max)}`],
    ),
    '',
    'Without a decision until the end of its time, a stage is held for a person. It is never promoted for lack of evidence.',
  ]
}

function explainStage({
  name,
  percent: share,
  segments,
  minDwell,
  maxDwell,
  promote,
}: RolloutStage): readonly string[] {
  const who = [...(share > 0 ? [`${share} %`] : []), ...segments.map((segment) => `segment "${segment}"`)].join(' and ')
  const how =
    promote === 'manual' ? 'promoted by a person' : `${formatDuration(minDwell)} to ${formatDuration(maxDwell)}`
  return [name, bar(share / 100), who, how]
}

function explainHarm({ metric, maxRatio, max }: RolloutGate): string[] {
  const often = maxRatio === 1 ? 'more often' : `more than ${maxRatio} times as often`
  return [
    ...(maxRatio === undefined ? [] : [`  - ${metricNames[metric]} come ${often} than in the control group`]),
    ...(max === undefined ? [] : [`  - ${metricNames[metric]} are above ${percent(max)}`]),
  ]
}
