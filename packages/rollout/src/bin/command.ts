import { parseArgs } from 'node:util'
import { isMillraceError } from '@millrace/core'
import { nearest } from '@millrace/core/kit'
import { readPlan } from '../plan/read-plan.ts'
import type { RolloutPlan } from '../plan/plan.ts'
import { explainPlan } from './explain.ts'
import { type CommandHost, UsageError } from './host.ts'
import { init } from './init.ts'
import { change, status } from './remote.ts'
import { simulatePlan } from './simulate.ts'

const help = `millrace-rollout: plan, watch and steer a rollout of streaming

  millrace-rollout init FILE [--name NAME] [--unit user|session|run] [--baseline FILE]
      writes a plan of two weeks, and asks for what is not given

  millrace-rollout plan FILE
      checks a plan and explains it in words

  millrace-rollout simulate FILE [options]
      shows what the plan does in healthy and in harmful worlds
      --rollouts NUMBER       of each world; default: 100
      --runs-per-day NUMBER   default: 3000
      --users NUMBER          default: 20000
      --seed NUMBER           default: 1
      --table                 prints a table of Markdown
      --svg FILE              draws the rollouts into a new file

  millrace-rollout status [--json]
  millrace-rollout start|promote|hold|rollback --reason TEXT
  millrace-rollout resume --reason TEXT [--stage NAME] [--salt TEXT]
      asks or steers a running application, by its createRolloutHandler
      --url URL               default: MILLRACE_ROLLOUT_URL; MILLRACE_ROLLOUT_TOKEN is sent as a bearer token

  --help

exit codes: 0 done; 1 the application refused or cannot be reached, or the plan is wrong; 2 wrong arguments`

const known = {
  name: { type: 'string' },
  unit: { type: 'string' },
  baseline: { type: 'string' },
  rollouts: { type: 'string' },
  'runs-per-day': { type: 'string' },
  users: { type: 'string' },
  seed: { type: 'string' },
  table: { type: 'boolean' },
  svg: { type: 'string' },
  url: { type: 'string' },
  reason: { type: 'string' },
  stage: { type: 'string' },
  salt: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

const commands = ['init', 'plan', 'simulate', 'status', 'start', 'promote', 'hold', 'rollback', 'resume']

/** Runs `millrace-rollout`. Resolves with its exit code. */
export async function runCommand(args: readonly string[], host: CommandHost): Promise<number> {
  try {
    const { values, words } = readArguments(args)
    const [command, ...rest] = words
    if (values.help === true) {
      host.out(help)
      return 0
    }
    switch (command) {
      case 'init':
        return await init({ path: fileOf(command, rest), ...values }, host)
      case 'plan': {
        const plan = await loadPlan(fileOf(command, rest), host)
        for (const line of explainPlan(plan)) host.out(line)
        return 0
      }
      case 'simulate':
        return await simulatePlan(
          {
            plan: await loadPlan(fileOf(command, rest), host),
            rollouts: numberOf(values.rollouts, '--rollouts', 100),
            runsPerDay: numberOf(values['runs-per-day'], '--runs-per-day', 3000),
            users: numberOf(values.users, '--users', 20_000),
            seed: numberOf(values.seed, '--seed', 1),
            isTable: values.table === true,
            svg: values.svg,
          },
          host,
        )
      case 'status':
        return await status(values, host)
      case 'start':
      case 'promote':
      case 'hold':
      case 'rollback':
      case 'resume':
        if (values.reason === undefined) throw new UsageError(`${command} needs --reason TEXT, for the log`)
        return await change(command, values, host)
      case undefined:
        throw new UsageError('a command is missing')
      default:
        throw new UsageError(unknown('command', command, commands))
    }
  } catch (error) {
    return fail(error, host)
  }
}

function fail(error: unknown, host: CommandHost): number {
  const message = error instanceof Error ? error.message : String(error)
  host.err(message)
  if (!(error instanceof UsageError)) return isMillraceError(error) || error instanceof Error ? 1 : 2
  host.err('Try "millrace-rollout --help".')
  return 2
}

function readArguments(args: readonly string[]) {
  try {
    const { values, positionals: words } = parseArgs({ args: [...args], allowPositionals: true, options: known })
    return { values, words }
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the arguments cannot be understood'
    const [, option] = /^Unknown option '--?([^']*)'/.exec(message) ?? []
    throw new UsageError(option === undefined ? message : unknown('option', option, Object.keys(known), '--'))
  }
}

function unknown(what: string, name: string, names: readonly string[], prefix = ''): string {
  const near = nearest(name, names)
  const hint = near === undefined ? `expected one of ${names.join(', ')}` : `did you mean "${prefix}${near}"?`
  return `unknown ${what} "${prefix}${name}"; ${hint}`
}

function fileOf(command: string, [path, ...extra]: readonly string[]): string {
  if (path === undefined) throw new UsageError(`${command} needs the path of a plan`)
  if (extra.length > 0) throw new UsageError(`unexpected argument "${extra[0]}"`)
  return path
}

async function loadPlan(path: string, host: CommandHost): Promise<RolloutPlan> {
  const text = await host.readFile(path)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error(`"${path}" is not JSON`, { cause })
  }
  try {
    return readPlan(value)
  } catch (error) {
    if (isMillraceError(error)) throw new Error(`${path}: ${error.message}`, { cause: error })
    throw error
  }
}

function numberOf(value: string | undefined, option: string, fallback: number): number {
  if (value === undefined) return fallback
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new UsageError(`${option} must be a whole number above 0, not "${value}"`)
}
