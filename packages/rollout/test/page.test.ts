import { readFileSync } from 'node:fs'
import { sized } from '@millrace/config/sized'
import { expect, it } from 'vitest'
import { tableRow } from '../src/bin/simulate.ts'
import { readPlan, scenariosFor, summarize } from '../src/index.ts'

const page = readFileSync(new URL('../../../docs/rollout.md', import.meta.url), 'utf8')
const file = readFileSync(new URL('../examples/three-stages.json', import.meta.url), 'utf8')
const plan = readPlan(JSON.parse(file))
/** With the defaults of the command. */
const scenarios = scenariosFor(plan, { seed: 1, runsPerDay: 3000, users: 20_000 })

it('has a row on the page for each scenario', () => {
  for (const { name } of scenarios) expect(page).toContain(`| ${name} |`)
})

it.each(sized({ quick: [], long: scenarios.map((scenario) => [scenario.name, scenario] as const) }))(
  'gives the row of the page for: %s',
  (_name, scenario) => {
    expect(page).toContain(tableRow(scenario, summarize(plan, scenario.world, 1000)))
  },
)
