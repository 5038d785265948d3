import { parseArgs } from 'node:util'
import { isMillraceError } from '@millrace/core'
import { nearest } from '@millrace/core/kit'
import { isParityError } from '../kit/errors.ts'
import { isVariantName, type VariantName, variantNames } from '../replay/variant.ts'
import { printBaseline } from './baseline.ts'
import { compare } from './compare.ts'
import { type CommandHost, UsageError } from './host.ts'
import { record } from './record.ts'
import { compareRequests } from './request.ts'

const usage = `usage: millrace-parity <command>

  record --out FOLDER [options] -- COMMAND [ARGUMENTS]
      runs COMMAND with ANTHROPIC_BASE_URL set to a proxy that records every run of its agent loop
      --redact PATH       a field that is replaced before it is stored, such as 'messages.*.content.*.text'; repeatable
      --redact-env NAME   a variable whose value is replaced wherever it stands; repeatable
      --upstream URL      where requests go on to; default: ANTHROPIC_BASE_URL, else https://api.anthropic.com
      --max-body BYTES    of one request or answer; default: 33554432

  compare PATH... [--json] [--variant NAME] [--seed NUMBER]
      replays cassettes, or folders of them, as streams through Millrace and shows every difference
      --variant NAME      ${variantNames.join(', ')}; repeatable; default: all

  request PATH... --agent MODULE [--export NAME] [--json]
      gives your own agent the recorded questions and compares its first requests with the recorded ones
      --agent MODULE      a file that exports an agent, or a function that makes one given a client
      --export NAME       which of its exports; default: default

  baseline PATH... [--json] [--out FILE]
      success, latency and tokens of the recorded loop, for the gates of a rollout

  --help, --version

exit codes of compare, request and baseline: 0 equal, 1 differences, 2 wrong arguments, a cassette that cannot be read, or (compare)
no answer in any of them;
of record: that of COMMAND; 1 where it succeeds and something was not recorded; 2 where recording could not begin`

const usageProblems: ReadonlySet<string> = new Set(['agent_failed', 'read_failed', 'write_failed', 'listen_failed'])

/** Runs `millrace-parity`. Resolves with its exit code. */
export async function runCommand(args: readonly string[], host: CommandHost): Promise<number> {
  const [command, ...rest] = args
  try {
    switch (command) {
      case 'record':
        return await runRecord(rest, host)
      case 'compare':
        return await runCompare(rest, host)
      case 'request':
        return await runRequest(rest, host)
      case 'baseline':
        return await runBaseline(rest, host)
      case 'help':
      case '--help':
      case '-h':
        host.out(usage)
        return 0
      case '--version':
      case '-v':
        host.out(host.version())
        return 0
      case undefined:
        host.err(`a command is missing\n\n${usage}`)
        return 2
      default:
        throw new UsageError(`unknown command "${command}"; expected record, compare, request or baseline`)
    }
  } catch (error) {
    if (error instanceof UsageError) {
      // The whole usage would push the message out of sight.
      host.err(`${error.message}\nsee millrace-parity --help`)
      return 2
    }
    if (isMillraceError(error, 'invalid_option')) {
      host.err(error.message)
      return 2
    }
    if (isParityError(error)) {
      host.err(error.message)
      return usageProblems.has(error.code) ? 2 : 1
    }
    if (typeof error === 'string' && error.startsWith('SIG')) {
      host.err(`ended by ${error}`)
      return error === 'SIGINT' ? 130 : 143
    }
    throw error
  }
}

async function runRecord(args: readonly string[], host: CommandHost): Promise<number> {
  const at = args.indexOf('--')
  const own = at === -1 ? args : args.slice(0, at)
  const { values, positionals } = read(own, {
    out: { type: 'string' },
    redact: { type: 'string', multiple: true },
    'redact-env': { type: 'string', multiple: true },
    upstream: { type: 'string' },
    'max-body': { type: 'string' },
    help: { type: 'boolean' },
  })
  if (values['help'] === true) return showUsage(host)
  const folder = text(values['out'])
  if (positionals.length > 0)
    throw new UsageError(`unexpected argument "${positionals[0]}"; put the command that runs your loop behind --`)
  if (folder === undefined) throw new UsageError('record needs --out FOLDER')
  return record(
    {
      folder,
      command: at === -1 ? [] : args.slice(at + 1),
      redact: texts(values['redact']),
      secretVariables: texts(values['redact-env']),
      upstream: text(values['upstream']),
      maxBodyBytes: count(values['max-body'], '--max-body', 1),
    },
    host,
  )
}

async function runCompare(args: readonly string[], host: CommandHost): Promise<number> {
  const { values, positionals } = read(args, {
    json: { type: 'boolean' },
    variant: { type: 'string', multiple: true },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  })
  if (values['help'] === true) return showUsage(host)
  if (positionals.length === 0) throw new UsageError('compare needs a cassette, or a folder of them')
  const names = texts(values['variant'])
  const variants = names.flatMap((name): VariantName[] => (isVariantName(name) ? [name] : []))
  if (variants.length < names.length) throw new UsageError(`--variant must be one of ${variantNames.join(', ')}`)
  return compare(
    {
      paths: positionals,
      json: values['json'] === true,
      variants: variants.length === 0 ? undefined : variants,
      seed: count(values['seed'], '--seed'),
    },
    host,
  )
}

async function runRequest(args: readonly string[], host: CommandHost): Promise<number> {
  const { values, positionals } = read(args, {
    agent: { type: 'string' },
    export: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  })
  if (values['help'] === true) return showUsage(host)
  const agent = text(values['agent'])
  if (agent === undefined) throw new UsageError('request needs --agent MODULE, a file that exports your agent')
  if (positionals.length === 0) throw new UsageError('request needs a cassette, or a folder of them')
  return compareRequests(
    { paths: positionals, agent, name: text(values['export']), json: values['json'] === true },
    host,
  )
}

async function runBaseline(args: readonly string[], host: CommandHost): Promise<number> {
  const { values, positionals } = read(args, {
    json: { type: 'boolean' },
    out: { type: 'string' },
    help: { type: 'boolean' },
  })
  if (values['help'] === true) return showUsage(host)
  if (positionals.length === 0) throw new UsageError('baseline needs a cassette, or a folder of them')
  return printBaseline({ paths: positionals, json: values['json'] === true, out: text(values['out']) }, host)
}

function showUsage(host: CommandHost): number {
  host.out(usage)
  return 0
}

type OptionTypes = Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>

interface ReadArguments {
  readonly values: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]
}

function read(args: readonly string[], options: OptionTypes): ReadArguments {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the arguments cannot be understood'
    const [, unknown] = /^Unknown option '([^']*)'/.exec(message) ?? []
    if (unknown === undefined) throw new UsageError(message.replaceAll('\n', ' '))
    const known = Object.keys(options).map((name) => `--${name}`)
    throw new UsageError(`unknown option "${unknown}"; ${hintFor(unknown, known)}`)
  }
}

/** What to say behind the name of an unknown option. */
function hintFor(unknown: string, known: readonly string[]): string {
  const near = nearest(unknown, known)
  return near === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${near}"?`
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function count(value: unknown, option: string, least = 0): number | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value) || Number(value) < least) {
    throw new UsageError(`${option} must be a whole number${least > 0 ? ` of at least ${least}` : ''}`)
  }
  return Number(value)
}
