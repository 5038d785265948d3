import type { ChaosReport } from './chaos.ts'

/** What is printed of a report, and whether every run is sound. */
export function summaryOf(store: string, report: ChaosReport): { readonly text: string; readonly isSound: boolean } {
  const { verdicts, harms, resets } = report
  const outcomes = new Map<string, number>()
  for (const { outcome } of verdicts) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  const unsound = verdicts.filter(({ problems }) => problems.length > 0)
  const inSession = verdicts.filter(({ isInSession }) => isInSession).length
  const lines = [
    `${store}: ${verdicts.length} runs, ${unsound.length} of them unsound`,
    `  ended as: ${[...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`,
    `  harms: ${Object.entries(harms)
      .map(([name, count]) => `${count} × ${name}`)
      .join(', ')}`,
    `  clients that started over: ${resets}; runs in their session: ${inSession}`,
    ...unsound.flatMap(({ number, problems }) => problems.map((problem) => `  run ${number}: ${problem}`)),
  ]
  return { text: lines.join('\n'), isSound: unsound.length === 0 }
}
