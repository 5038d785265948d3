import type { RolloutPlan } from '../plan/plan.ts'
import { type Scenario, scenariosFor } from '../simulate/scenarios.ts'
import { type Quantiles, type SimulationSummary, summarize } from '../simulate/summarize.ts'
import { bar, count, percent, table } from './draw.ts'
import type { CommandHost } from './host.ts'
import { drawSvg } from './svg.ts'

export interface SimulateOptions {
  readonly plan: RolloutPlan
  readonly rollouts: number
  readonly seed: number
  readonly runsPerDay: number
  readonly users: number
  readonly isTable: boolean
  readonly svg: string | undefined
}

/** Simulates a plan in each scenario, and prints a drawing or a table of Markdown. */
export async function simulatePlan(options: SimulateOptions, host: CommandHost): Promise<number> {
  const { plan, rollouts, isTable, svg } = options
  const drawn: { readonly name: string; readonly summary: SimulationSummary }[] = []
  if (isTable) for (const line of tableHead) host.out(line)
  for (const scenario of scenariosFor(plan, options)) {
    const summary = summarize(plan, scenario.world, rollouts)
    drawn.push({ name: scenario.name, summary })
    if (isTable) host.out(tableRow(scenario, summary))
    else for (const line of drawSummary(plan, scenario, summary)) host.out(line)
  }
  if (svg !== undefined) await host.writeNewFile(svg, drawSvg(plan, drawn))
  return 0
}

const tableHead: readonly string[] = [
  '| scenario | finishes | rolls back | held | days to finish | streaming runs to the rollback |',
  '|---|---|---|---|---|---|',
]

/** Writes one row of the table, in Markdown. */
export function tableRow(
  { name }: Scenario,
  { done, rolledBack, held, daysToDone, runsToRollback }: SimulationSummary,
): string {
  const days = daysToDone === undefined || done < 0.1 ? '–' : quantiles(daysToDone, (value) => value.toFixed(1))
  const runs = runsToRollback === undefined || rolledBack < 0.1 ? '–' : quantiles(runsToRollback, count)
  return `| ${[name, percent(done), percent(rolledBack), percent(held), days, runs].join(' | ')} |`
}

function quantiles({ p50, p95 }: Quantiles, format: (value: number) => string): string {
  return `${format(p50)} (95 %: ${format(p95)})`
}

function drawSummary(plan: RolloutPlan, { name }: Scenario, summary: SimulationSummary): string[] {
  const { rollouts, done, rolledBack, held, results } = summary
  const stages = plan.stages.map((stage) => {
    const reached = results.filter(({ path }) => path.some((step) => step.stage === stage.name)).length
    return [`  ${stage.name}`, `${stage.percent} %`, bar(reached / rollouts), percent(reached / rollouts)]
  })
  return [
    `${name}: ${percent(done)} finish, ${percent(rolledBack)} roll back, ${percent(held)} are held (${count(rollouts)} rollouts)`,
    ...table(stages),
    '',
  ]
}
