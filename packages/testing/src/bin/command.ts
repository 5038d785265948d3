import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parseFaultPlan } from '../faults/check-fault-plan.ts'
import { demoScript } from '../script/demo-script.ts'
import { invalidOption, isTestingError, unknownName } from '../kit/errors.ts'
import type { FaultRule } from '../faults/fault.ts'
import { faultKinds } from '../faults/fault-kinds.ts'
import { checkScript, type Script } from '../script/script.ts'
import { startClaude } from '../server/server.ts'
import type { Pace, Turn } from '../script/turn.ts'

/** What the command needs of its process. */
export interface CommandHost {
  out(line: string): void
  err(line: string): void
  /** Resolves when the user asks the command to stop. */
  untilStopped(): Promise<void>
}

const help = `millrace-claude: a scripted Claude server on 127.0.0.1

Usage: millrace-claude [options]
       millrace-claude faults --list

  --port <number>    port to listen on (default: any free one)
  --script <script>  "demo" (default), or a JSON file with a list of turns:
                     [{ "content": [{ "type": "text", "text": "Hello" }] }]
  --pace <pace>      "fast" (default) or a number of tokens per second
  --faults <file>    a JSON file with a fault plan: a list of rules, such as
                     [{ "kind": "destroy", "at": { "event": 7 }, "turn": 1 }]
  --help             this text

"faults --list" prints the kinds of fault, one a line.

Point a client at it:
  ANTHROPIC_BASE_URL=<url> ANTHROPIC_API_KEY=any <your program>`

/** Runs `millrace-claude`. Resolves with its exit code: 0, 1 for a failure, 2 for wrong arguments. */
export async function runCommand(args: readonly string[], host: CommandHost): Promise<number> {
  try {
    const options = readArguments(args)
    if (options.help === true) {
      host.out(help)
      return 0
    }
    if (options.list === true) {
      for (const { kind, description } of faultKinds) host.out(`${kind.padEnd(22)} ${description}`)
      return 0
    }
    return await serve(options, host)
  } catch (error) {
    if (isTestingError(error) && error.code === 'listen_failed') {
      host.err(`millrace-claude: ${error.message}; give another one with --port, or leave it out for any free one`)
      return 1
    }
    host.err(`millrace-claude: ${messageOf(error)}. Try "millrace-claude --help".`)
    return 2
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Returns what is wrong, in one line. */
function messageOf(error: unknown): string {
  const message = textOf(error)
  // The parser of arguments appends advice on other cases to its first sentence.
  const first = isTestingError(error) ? message : message.split('. ', 1).join('')
  return first.replaceAll(/\s+/g, ' ').replace(/\.$/, '')
}

interface Arguments {
  readonly port?: string | undefined
  readonly script?: string | undefined
  readonly pace?: string | undefined
  readonly faults?: string | undefined
  readonly help?: boolean | undefined
  readonly list?: boolean | undefined
}

function readArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      faults: { type: 'string' },
      list: { type: 'boolean' },
      port: { type: 'string' },
      script: { type: 'string' },
      pace: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [command, ...more] = positionals
  if (command !== undefined && (command !== 'faults' || more.length > 0)) {
    throw unknownName('command', positionals.join(' '), ['faults --list'], 'arguments')
  }
  if ((command === 'faults') !== (values.list === true)) {
    throw invalidOption('"faults"', 'needs "--list", and "--list" needs "faults"')
  }
  return values
}

async function serve(options: Arguments, host: CommandHost): Promise<number> {
  const stopped = host.untilStopped()
  const claude = await startClaude({
    script: await readScript(options.script ?? 'demo'),
    port: readNumber('--port', options.port ?? '0'),
    pace: readPace(options.pace ?? 'fast'),
    faults: options.faults === undefined ? [] : await readFaults(options.faults),
  })
  host.out(`Scripted Claude listens on ${claude.url}`)
  host.out(`Point a client at it: ANTHROPIC_BASE_URL=${claude.url} ANTHROPIC_API_KEY=any <your program>`)
  host.out('Stop it with Ctrl-C.')
  await stopped
  await claude.close()
  host.out(`Answered ${claude.stats.requests} requests.`)
  return 0
}

function readNumber(name: string, value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number) || number < 0)
    throw invalidOption(name, `must be a number, not "${value}"`)
  return number
}

function readPace(value: string): Pace {
  if (value === 'fast') return 'fast'
  const tokensPerSecond = readNumber('--pace', value)
  if (tokensPerSecond === 0) throw invalidOption('--pace', 'must be "fast" or a number of tokens per second above 0')
  return { tokensPerSecond }
}

async function readFaults(file: string): Promise<readonly FaultRule[]> {
  return parseFaultPlan(await readJsonFile('--faults', file), file)
}

async function readScript(name: string): Promise<Script> {
  if (name === 'demo') return demoScript
  const turns = await readJsonFile('--script', name)
  checkScript(turns, name)
  return isTurnList(turns) ? turns : []
}

/** Whether `value` is a list of turns, once `checkScript` has let it pass. */
function isTurnList(value: unknown): value is readonly Turn[] {
  return Array.isArray(value)
}

/** Reads the JSON file that an option names. Throws `invalid_option` if it cannot be read, or holds no JSON. */
async function readJsonFile(option: string, path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalidOption(option, `"${path}" cannot be read (${textOf(cause)})`)
  })
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (cause) {
    throw invalidOption(option, `"${path}" must hold JSON (${textOf(cause)})`)
  }
}
