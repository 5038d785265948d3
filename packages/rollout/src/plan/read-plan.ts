import { aListOf, anId, anObject, checkOptions, isRecord, oneOf, refuse, rule, type Rule } from '@millrace/core/kit'
import { readDuration } from './duration.ts'
import { comparable, type Metric, metrics } from './metrics.ts'
import type { BucketingUnit, RolloutGate, RolloutPlan, RolloutStage } from './plan.ts'

const aDurationText: Rule = (value, path) => void readDuration(value, path)
const aShare: Rule = rule(
  (value) => typeof value === 'number' && value > 0 && value < 1,
  'must be a number above 0 and below 1',
)
const aPercent: Rule = rule(
  (value) =>
    typeof value === 'number' && value >= 0 && value <= 100 && Math.abs(value * 1000 - Math.round(value * 1000)) < 1e-6,
  'must be a number from 0 to 100 with at most three decimals',
)

const stageRules = {
  name: anId,
  percent: aPercent,
  segments: aListOf(anId),
  minDwell: aDurationText,
  maxDwell: aDurationText,
  count: oneOf('unit', 'run'),
  promote: oneOf('auto', 'manual'),
}

const gateRules = {
  metric: oneOf(...metrics),
  maxRatio: rule(
    (value) => typeof value === 'number' && value >= 1 && value <= 10,
    'must be a number from 1 (no worse than the control group) to 10',
  ),
  max: aShare,
  above: rule((value) => typeof value === 'number' && value > 0, 'must be a positive number of milliseconds'),
}

const planRules = {
  $schema: anId,
  version: oneOf(1),
  name: anId,
  flag: anId,
  unit: oneOf('user', 'session', 'run'),
  salt: anId,
  alpha: aShare,
  beta: aShare,
  sampleRatioAlpha: aShare,
  maxDataAge: aDurationText,
  settle: aDurationText,
  period: aDurationText,
  stages: aListOf(anObject(stageRules)),
  gates: aListOf(anObject(gateRules)),
}

/**
 * Reads a plan, as `JSON.parse` gave it, and fills in the defaults.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`; its `path` and its message name the place
 */
export function readPlan(value: unknown): RolloutPlan {
  const given = checkOptions(value, '', planRules, 'the plan')
  if (given['version'] !== 1) refuse('version', 'must be 1')
  const name = required(given, 'name', '')
  const stages = listOf(given['stages'], 'stages').map(readStage)
  const gates = listOf(given['gates'], 'gates').map(readGate)
  checkStages(stages)
  checkGates(gates, stages)
  const flag = text(given['flag'], 'use_streaming')
  return {
    version: 1,
    name,
    flag,
    unit: readUnit(given['unit']),
    salt: text(given['salt'], flag),
    alpha: number(given['alpha'], 0.05),
    beta: number(given['beta'], 0.05),
    sampleRatioAlpha: number(given['sampleRatioAlpha'], 0.01),
    maxDataAge: duration(given['maxDataAge'], 'maxDataAge', '15m'),
    settle: duration(given['settle'], 'settle', '1m'),
    period: duration(given['period'], 'period', '1d'),
    stages,
    gates,
  }
}

function readStage(given: Readonly<Record<string, unknown>>, index: number): RolloutStage {
  const path = `stages[${index}]`
  const name = required(given, 'name', path)
  const percent = given['percent']
  if (typeof percent !== 'number') refuse(`${path}.percent`, 'is missing: it must be a number from 0 to 100')
  const segments = Array.isArray(given['segments']) ? given['segments'].map(String) : []
  const minDwell = duration(given['minDwell'], `${path}.minDwell`, '1d')
  const maxDwell = duration(given['maxDwell'], `${path}.maxDwell`, '14d')
  if (maxDwell < minDwell) refuse(`${path}.maxDwell`, 'must not be shorter than minDwell')
  if (percent === 0 && segments.length === 0) {
    refuse(`${path}.segments`, 'must name a segment, because nobody streams at 0 percent')
  }
  const count = given['count'] === 'run' ? 'run' : 'unit'
  if (count === 'run' && percent > 0) {
    refuse(
      `${path}.count`,
      'must be "unit" above 0 percent: runs of one user fail together, which would look like harm',
    )
  }
  return {
    name,
    percent,
    segments,
    minDwell,
    maxDwell,
    count,
    promote: given['promote'] === 'manual' ? 'manual' : 'auto',
  }
}

function readGate(given: Readonly<Record<string, unknown>>, index: number): RolloutGate {
  const path = `gates[${index}]`
  const metric = metrics.find((known) => known === given['metric'])
  if (metric === undefined) refuse(`${path}.metric`, `is missing: it must be one of ${metrics.join(', ')}`)
  const { maxRatio, max, above } = given
  if (maxRatio === undefined && max === undefined) {
    refuse(path, 'must have "maxRatio", a limit relative to the control group, "max", an absolute one, or both')
  }
  if (maxRatio !== undefined && !comparable.includes(metric)) {
    refuse(`${path}.maxRatio`, `does not apply to ${metric}, which the control group does not have; use "max"`)
  }
  const isTimed = metric === 'slow_run' || metric === 'slow_first_text'
  if (isTimed && above === undefined) {
    refuse(`${path}.above`, `is missing: ${metric} needs the number of milliseconds from which a run is slow`)
  }
  if (!isTimed && above !== undefined) refuse(`${path}.above`, 'applies to slow_run and slow_first_text only')
  return {
    metric,
    ...(typeof maxRatio === 'number' && { maxRatio }),
    ...(typeof max === 'number' && { max }),
    ...(typeof above === 'number' && { above }),
  }
}

function checkStages(stages: readonly RolloutStage[]): void {
  if (stages.length === 0) refuse('stages', 'must hold at least one stage')
  const names = stages.map(({ name }) => name)
  for (const [index, stage] of stages.entries()) {
    if (names.indexOf(stage.name) !== index)
      refuse(`stages[${index}].name`, `must be unique, and "${stage.name}" is not`)
    const before = stages[index - 1]
    if (before !== undefined && stage.percent < before.percent) {
      refuse(`stages[${index}].percent`, `must not be below the ${before.percent} of the stage before`)
    }
    if (stage.percent === 100) {
      refuse(
        `stages[${index}].percent`,
        'must leave a holdback, such as 95: at 100 percent nothing is left to compare with',
      )
    }
  }
}

function checkGates(gates: readonly RolloutGate[], stages: readonly RolloutStage[]): void {
  const seen = new Set<Metric>()
  for (const [index, { metric }] of gates.entries()) {
    if (seen.has(metric)) refuse(`gates[${index}].metric`, `must be unique, and "${metric}" is not`)
    seen.add(metric)
  }
  // A stage is promoted because an absolute limit holds. Without one, nothing would ever be shown to be good.
  if (!gates.some(({ max }) => max !== undefined)) {
    refuse('gates', 'must hold at least one gate with "max": no failures in both groups is no evidence of health')
  }
  if (stages.some(({ percent }) => percent > 0) && !gates.some(({ maxRatio }) => maxRatio !== undefined)) {
    refuse('gates', 'must hold at least one gate with "maxRatio", to compare with the control group')
  }
}

function readUnit(value: unknown): BucketingUnit {
  return value === 'run' || value === 'session' ? value : 'user'
}

function listOf(value: unknown, path: string): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) refuse(path, 'must be a list')
  return value.filter(isRecord)
}

function required(given: Readonly<Record<string, unknown>>, key: string, path: string): string {
  const value = given[key]
  if (typeof value === 'string') return value
  return refuse(path === '' ? key : `${path}.${key}`, 'is missing: it must be a string that is not empty')
}

function text(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

function number(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback
}

function duration(value: unknown, path: string, fallback: string): number {
  return readDuration(value ?? fallback, path)
}
