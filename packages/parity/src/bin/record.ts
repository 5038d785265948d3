import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { ParityError } from '../kit/errors.ts'
import { cassetteFolder } from '../node/cassette-folder.ts'
import { startRecordingProxy } from '../node/recording-proxy.ts'
import { createRecorder, type Recorder } from '../record/recorder.ts'
import { counted } from '../kit/counted.ts'
import { type CommandHost, UsageError } from './host.ts'

export interface RecordArguments {
  readonly folder: string
  readonly command: readonly string[]
  readonly redact: readonly string[]
  /** Names of environment variables whose values are redacted everywhere. */
  readonly secretVariables: readonly string[]
  readonly upstream: string | undefined
  readonly maxBodyBytes: number | undefined
}

/** How often a problem that repeats is printed. */
const toldAtMost = 5

/** Runs a command against a recording proxy. Returns the command's exit code, or 1 if something was not recorded. */
export async function record(given: RecordArguments, host: CommandHost): Promise<number> {
  const { folder, command, redact, upstream, maxBodyBytes } = given
  const [program, ...args] = command
  if (program === undefined) throw new UsageError('record needs the command that runs your loop, behind --')
  const secrets = readSecrets(given, host)
  const goesOnTo = findUpstream(upstream, host)
  const told = new Map<string, number>()
  const onProblem = ({ message }: ParityError): void => {
    const count = (told.get(message) ?? 0) + 1
    told.set(message, count)
    if (count <= toldAtMost) host.err(message)
    if (count === toldAtMost) host.err('(the same problem is not printed again)')
  }
  const sink = await cassetteFolder(folder)
  const limits = maxBodyBytes === undefined ? {} : { maxBodyBytes }
  const recorder = createRecorder({ sink, redact, secrets, onProblem, ...limits })
  const proxy = await startRecordingProxy({
    upstream: goesOnTo,
    recorder,
    onProblem,
    ...limits,
  })
  try {
    host.err(`recording into ${folder}: ANTHROPIC_BASE_URL is ${proxy.url}`)
    const end = await runCommand(program, args, environment(host, proxy.url), host)
    if (end.error !== undefined) {
      host.err(`${program} could not be started: ${end.error}`)
      return end.code
    }
    if (end.signal !== undefined) host.err(`the command was ended by ${end.signal}`)
    else if (end.code !== 0) host.err(`the command ended with exit code ${end.code}`)
    await proxy.close()
    await recorder.close()
    return conclude(end.code, recorder, folder, host)
  } finally {
    await proxy.close()
    await recorder.close()
  }
}

function conclude(code: number, { stats }: Recorder, folder: string, host: CommandHost): number {
  const { runs, exchanges, failed, lost } = stats
  const what = `${counted(runs, 'run')} in ${counted(exchanges, 'request')}`
  const bad = `${failed > 0 ? `; failed: ${failed}` : ''}${lost > 0 ? `; lost: ${lost}` : ''}`
  host.err(`recorded ${what} into ${folder}${bad}`)
  if (exchanges === 0) {
    host.err('no request was recorded; the loop must take its base URL from ANTHROPIC_BASE_URL')
  }
  if (code !== 0) return code
  return exchanges === 0 || lost > 0 ? 1 : 0
}

function readSecrets({ secretVariables }: RecordArguments, { env }: CommandHost): string[] {
  return secretVariables.map((name) => {
    const value = env[name]
    if (value === undefined) throw new UsageError(`--redact-env names "${name}", a variable that is not set`)
    if (value.length < 8)
      throw new UsageError(`--redact-env names "${name}", whose value must have at least 8 characters`)
    return value
  })
}

/** Returns where requests go on to. An empty variable counts as unset, as in the SDK. */
function findUpstream(option: string | undefined, { env }: CommandHost): string {
  const fromEnv = env['ANTHROPIC_BASE_URL']?.trim() ?? ''
  const url = option ?? (fromEnv === '' ? 'https://api.anthropic.com' : fromEnv)
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url
  const where = option === undefined ? 'ANTHROPIC_BASE_URL' : '--upstream'
  throw new UsageError(`${where} must be an http or https URL, such as https://api.anthropic.com`)
}

function environment({ env }: CommandHost, url: string): Record<string, string | undefined> {
  // Without this, a client behind an HTTP proxy would ask that proxy for 127.0.0.1.
  const direct = (list: string | undefined): string => [list, '127.0.0.1'].filter(Boolean).join(',')
  return { ...env, ANTHROPIC_BASE_URL: url, NO_PROXY: direct(env['NO_PROXY']), no_proxy: direct(env['no_proxy']) }
}

interface CommandEnd {
  readonly code: number
  readonly signal?: string
  readonly error?: string
}

async function runCommand(
  program: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  host: CommandHost,
): Promise<CommandEnd> {
  const child = spawn(program, args, { stdio: 'inherit', env })
  const release = host.onSignal((signal) => passOn(child, signal, host))
  try {
    return await new Promise<CommandEnd>((resolve) => {
      child.on('error', (error) => resolve({ code: 127, error: reasonOf(error) }))
      child.on('exit', (code, signal) => {
        if (signal === null) resolve({ code: code ?? 1 })
        else resolve({ code: 128 + constants.signals[signal], signal })
      })
    })
  } finally {
    release()
  }
}

function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : 'unknown error'
  if (code === 'ENOENT') return 'the program was not found'
  return code === 'EACCES' ? 'it may not be executed' : code
}

/** Passes a signal on to the command. What was recorded is kept in any case. */
function passOn(child: ChildProcess, signal: NodeJS.Signals, { sharesKeyboard }: CommandHost): void {
  if (signal === 'SIGINT' && sharesKeyboard) return
  child.kill(signal)
}
