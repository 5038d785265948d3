import type { RolloutPlan } from '../plan/plan.ts'
import type { SimulationSummary } from '../simulate/summarize.ts'
import type { SimulatedRollout } from '../simulate/world.ts'

const size = { width: 640, row: 120, left: 44, right: 12, top: 26, bottom: 22 } as const
/** More lines than these hide one another. */
const shown = 40

/** Draws the percentage of each simulated rollout over its days, one row for each scenario. */
export function drawSvg(
  plan: RolloutPlan,
  scenarios: readonly { readonly name: string; readonly summary: SimulationSummary }[],
): string {
  const results = scenarios.flatMap(({ summary }) => summary.results.slice(0, shown))
  const days = Math.max(1, ...results.map((result) => result.days))
  const rows = scenarios.map(({ name, summary }, index) => {
    const lines = summary.results.slice(0, shown).map((result) => drawLine(result, days))
    const share = `${Math.round(summary.done * 100)} % finish, ${Math.round(summary.rolledBack * 100)} % roll back`
    return [
      `<g transform="translate(0 ${index * size.row})">`,
      `<text x="${size.left}" y="16" font-weight="bold">${escape(name)}: ${share}</text>`,
      `<path d="M${size.left} ${y(100)}V${y(0)}H${size.width - size.right}" stroke="#999" fill="none"/>`,
      `<text x="4" y="${y(100) + 4}">100 %</text><text x="4" y="${y(0) + 4}">0 %</text>`,
      `<text x="${size.width - size.right}" y="${y(0) + 14}" text-anchor="end">day ${days.toFixed(0)}</text>`,
      ...lines,
      '</g>',
    ].join('\n')
  })
  const height = scenarios.length * size.row
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>${escape(plan.name)}: simulated rollouts</title>`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

function drawLine({ path, days, end }: SimulatedRollout, allDays: number): string {
  const x = (day: number): string => (size.left + (day / allDays) * (size.width - size.left - size.right)).toFixed(1)
  const steps = path.map(({ day, percent }) => `H${x(day)}V${y(percent)}`).join('')
  const last = end === 'rolled_back' ? `H${x(days)}V${y(0)}` : `H${x(days)}`
  const color = end === 'rolled_back' ? '#c22' : end === 'held' ? '#c80' : '#282'
  return `<path d="M${size.left} ${y(0)}${steps}${last}" stroke="${color}" stroke-opacity="0.35" fill="none"/>`
}

function y(percent: number): number {
  return size.row - size.bottom - (percent / 100) * (size.row - size.top - size.bottom)
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
