import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { type Clock, systemClock, type ToolProgress } from '@millrace/core'
import {
  aClock,
  aCount,
  aDelay,
  aFunction,
  anything,
  aRecordOf,
  aSignal,
  checkOptions,
  type Rule,
  rule,
  timeLimit,
} from '@millrace/core/kit'
import type { ProgressSink } from '../nested.ts'
import { createOutput, type Output } from './output.ts'
import { type ProcessGroup, processGroup } from './process-group.ts'
import { SubprocessError } from './subprocess-error.ts'

export interface SubprocessOptions {
  /** Ends the program and everything it started. */
  readonly signal?: AbortSignal
  /** Receives, at each piece of output, the last line and `data: { bytes, tail }`, or what `parse` returns. */
  readonly progress?: ProgressSink
  /** The longest that the program may run, in milliseconds. Default: no limit. */
  readonly timeout?: number
  /** How much of the output's end the result holds, in UTF-16 code units. Default: 100,000. */
  readonly maxTail?: number
  /** How much of the output's end each report holds as `data.tail`, in UTF-16 code units. Default: 2,000. */
  readonly liveTail?: number
  /** Makes the report of a line, instead of the default. Return undefined to report nothing. */
  readonly parse?: (line: string, from: 'stdout' | 'stderr') => ToolProgress | undefined
  /** Milliseconds between SIGTERM and SIGKILL. Default: 2,000. */
  readonly killGrace?: number
  readonly cwd?: string
  /** The whole environment. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The program's standard input. Default: none. */
  readonly input?: string
  readonly clock?: Clock
}

/** The result of a program that started. */
export interface SubprocessResult {
  /** `exited`: it ended by itself; `signalled`: something else killed it; `timeout`, `aborted`: it was killed here. */
  readonly end: 'exited' | 'signalled' | 'timeout' | 'aborted'
  readonly exitCode: number | null
  readonly signal: string | null
  /** The end of standard output and standard error, in the order in which they arrived. */
  readonly output: string
  /** Whether there was more output than `output`. */
  readonly truncated: boolean
  readonly bytes: number
  readonly durationMs: number
}

const aString = rule((value) => typeof value === 'string', 'must be a string')

const rules: Readonly<Record<keyof SubprocessOptions, Rule>> = {
  signal: aSignal,
  progress: aFunction,
  timeout: aDelay(),
  maxTail: aCount(0),
  liveTail: aCount(0),
  parse: aFunction,
  killGrace: aDelay(0),
  cwd: aString,
  env: aRecordOf(anything),
  input: aString,
  clock: aClock,
}

/** How long a process that left the group may keep the pipes of an ended program open, in milliseconds. */
const drainMs = 250

function folderExists(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function startError(cause: unknown, command: string, cwd: string | undefined): SubprocessError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  // Node reports a missing folder as a missing command.
  if (cwd !== undefined && !folderExists(cwd)) {
    return new SubprocessError('bad_folder', `"${command}" did not start: its working folder does not exist`, { cause })
  }
  if (code === 'ENOENT') return new SubprocessError('command_not_found', `"${command}" was not found`, { cause })
  if (code === 'EACCES') return new SubprocessError('not_executable', `"${command}" is not executable`, { cause })
  return new SubprocessError('spawn_failed', `"${command}" could not be started`, { cause })
}

async function start(command: string, args: readonly string[], options: SubprocessOptions): Promise<ChildProcess> {
  const { cwd, env, input } = options
  try {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env: { ...env } }),
      // Makes it the leader of a process group, which can be killed as a whole.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    await once(child, 'spawn')
    // For example, a signal that could not be sent. Without a listener, the error would end this process.
    child.on('error', () => {})
    return child
  } catch (cause) {
    throw startError(cause, command, cwd)
  }
}

/** Resolves with whether `done` settles within `ms`. */
async function settles(done: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  const limit = timeLimit(clock, ms)
  try {
    return (await Promise.race([done.then(() => true), limit.over])) ?? false
  } finally {
    limit.cancel()
  }
}

interface Watched {
  readonly child: ChildProcess
  readonly group: ProcessGroup
  readonly output: Output
  readonly clock: Clock
}

/** Waits for the program's end, or ends it, and leaves nothing of it behind. */
async function supervise(
  watched: Watched,
  options: SubprocessOptions,
): Promise<Pick<SubprocessResult, 'end' | 'exitCode' | 'signal'>> {
  const { child, group, output, clock } = watched
  const { signal, timeout, killGrace = 2000, input } = options
  let stopped: 'timeout' | 'aborted' | undefined
  let ending: Promise<void> | undefined
  const stop = (why: 'timeout' | 'aborted'): void => {
    stopped ??= why
    ending ??= group.end(killGrace)
  }
  const onAbort = (): void => stop('aborted')
  const exited = new Promise<{ exitCode: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (exitCode, by) => resolve({ exitCode, signal: by }))
  })
  const closed = once(child, 'close')
  child.stdout?.on('data', (chunk: Buffer) => output.write(chunk, 'stdout'))
  child.stderr?.on('data', (chunk: Buffer) => output.write(chunk, 'stderr'))
  // A program that does not read its input closes the pipe, which is not an error.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const cancelTimeout = timeout === undefined ? undefined : clock.setTimer(() => stop('timeout'), timeout)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal?.aborted) stop('aborted')
    const { exitCode, signal: by } = await exited
    // Processes that it left in the background would outlive the call, and may keep its pipes open.
    if (!(await settles(closed, drainMs, clock)) || group.alive()) ending ??= group.end(killGrace)
    await ending
    if (!(await settles(closed, drainMs, clock))) {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    return { end: stopped ?? (by === null ? 'exited' : 'signalled'), exitCode, signal: by }
  } finally {
    cancelTimeout?.()
    signal?.removeEventListener('abort', onAbort)
  }
}

/**
 * Runs a program without a shell and streams its output as progress. Resolves when the program and everything it started
 * is gone; `end` and `exitCode` say why. `maxTail` bounds its memory.
 *
 * On abort and timeout the whole process group gets SIGTERM, and SIGKILL after `killGrace`. Processes that the program left
 * in the background end with it. A process that makes its own session (`setsid`) is out of reach. Windows has no process
 * groups, so only the program itself is killed there.
 *
 * @throws SubprocessError if the program cannot be started
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export async function fromSubprocess(
  command: string,
  args: readonly string[],
  options: SubprocessOptions = {},
): Promise<SubprocessResult> {
  checkOptions(options, '', rules)
  const { signal, progress, parse, maxTail = 100_000, liveTail = 2000, clock = systemClock } = options
  const output = createOutput({ progress, maxTail, liveTail, parse })
  const startedAt = clock.now()
  const result = (how: Pick<SubprocessResult, 'end' | 'exitCode' | 'signal'>): SubprocessResult => {
    output.end()
    const { truncated, bytes } = output
    return { ...how, output: output.text(), truncated, bytes, durationMs: clock.now() - startedAt }
  }
  if (signal?.aborted) return result({ end: 'aborted', exitCode: null, signal: null })
  const child = await start(command, args, options)
  return result(await supervise({ child, group: processGroup(child, clock), output, clock }, options))
}
