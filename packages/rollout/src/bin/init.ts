import { isRecord } from '@millrace/core/kit'
import { readPlan } from '../plan/read-plan.ts'
import { twoWeekPlan } from '../plan/two-weeks.ts'
import { type CommandHost, UsageError } from './host.ts'

export interface InitOptions {
  readonly path: string
  readonly name?: string | undefined
  readonly unit?: string | undefined
  /** The file that `millrace-parity baseline --out` wrote. */
  readonly baseline?: string | undefined
}

/** Asks what is not given, and writes a plan. */
export async function init({ path, name, unit, baseline }: InitOptions, host: CommandHost): Promise<number> {
  const asked = {
    name: name ?? ((await host.ask('name of the rollout (streaming): ')) || 'streaming'),
    unit: readUnit(
      unit ?? ((await host.ask('what is the percentage drawn by: user, session or run (user): ')) || 'user'),
    ),
    baseline: baseline ?? (await host.ask('file of millrace-parity baseline, or nothing: ')),
  }
  const p95 = asked.baseline === '' ? undefined : readP95(await host.readFile(asked.baseline), asked.baseline)
  const plan = twoWeekPlan({
    name: asked.name,
    unit: asked.unit,
    ...(p95 !== undefined && { baselineP95: p95 }),
  })
  readPlan(plan)
  await host.writeNewFile(path, `${JSON.stringify(plan, undefined, 2)}\n`)
  host.out(`${path} is written. Next: millrace-rollout plan ${path}`)
  return 0
}

function readUnit(given: string): 'run' | 'session' | 'user' {
  if (given === 'user' || given === 'session' || given === 'run') return given
  throw new UsageError(`the unit must be user, session or run, not "${given}"`)
}

function readP95(text: string, path: string): number {
  const value: unknown = JSON.parse(text)
  const gates = isRecord(value) && value['format'] === 'millrace-baseline' ? value['gates'] : undefined
  const latency = isRecord(gates) ? gates['latency'] : undefined
  const p95 = isRecord(latency) ? latency['p95Ms'] : undefined
  if (typeof p95 === 'number' && p95 > 0) return Math.ceil(p95)
  throw new UsageError(`"${path}" is not a baseline with a latency; write one with millrace-parity baseline --out`)
}
