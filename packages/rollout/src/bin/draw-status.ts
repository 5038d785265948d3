import { isRecord } from '@millrace/core/kit'
import type { GateReading } from '../control/judge.ts'
import { metricNames } from '../plan/metrics.ts'
import type { RolloutReport } from '../run/rollout.ts'
import { bar, count, evidenceBar, percent, roughly } from './draw.ts'

/** Draws what `GET status` gave. */
export function drawStatus({ plan, state, exposure, judgement, evidence }: RolloutReport): string[] {
  const stage = plan.stages[state.stage]
  if (stage === undefined) return ['the rollout is in a stage that its plan does not have']
  const path = plan.stages.map(({ name }, index) => (index === state.stage ? `[${name}]` : name)).join(' → ')
  const { streaming, control } = evidence
  const last = state.log.at(-1)
  return [
    `${plan.name}: ${state.status.replace('_', ' ')}, ${exposure.percent} % stream`,
    path,
    '',
    `exposure  ${bar(exposure.percent / 100)} ${exposure.percent} %`,
    `watched   ${bar(state.watched / stage.minDwell)} ${roughly(state.watched)} of ${roughly(stage.minDwell)}`,
    `units     ${count(streaming.units)} stream, ${count(control.units)} in the control group`,
    ...(judgement.sampleRatio === undefined ? [] : [`ratio off ${evidenceBar(judgement.sampleRatio)}`]),
    '',
    ...judgement.gates.flatMap(drawGate),
    ...(state.waiting === undefined ? [] : [`waits for: ${state.waiting.replace('_', ' ')}`]),
    ...(last === undefined ? [] : [`last: ${new Date(last.at).toISOString()} ${last.actor}: ${last.reason}`]),
  ]
}

function drawGate(gate: GateReading): string[] {
  const limit =
    gate.kind === 'absolute' ? `at most ${percent(gate.limit)}` : `at most ${gate.limit} times the control group`
  const streaming = `${count(gate.streaming.bad)} of ${count(gate.streaming.units)} stream`
  const control =
    gate.kind === 'relative' ? `, ${count(gate.control.bad)} of ${count(gate.control.units)} in the control group` : ''
  return [
    `${metricNames[gate.metric]}, ${limit}: ${streaming}${control}`,
    `  harm    ${evidenceBar(gate.harm)}`,
    ...(gate.kind === 'absolute' ? [`  healthy ${evidenceBar(gate.pass)}`] : []),
  ]
}

/** Whether a JSON value is what `GET status` answers. It comes from our own handler, so its shape is checked loosely. */
export function isReport(value: unknown): value is RolloutReport {
  return ['plan', 'state', 'exposure', 'evidence', 'judgement'].every(
    (part) => isRecord(value) && isRecord(value[part]),
  )
}
