import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { type Clock, systemClock, type ToolProgress } from '@millrace/core'
import type { ProgressSink } from '../nested.ts'
import { createOutput, type Output } from './output.ts'
import { type ProcessGroup, processGroup } from './process-group.ts'
import { SubprocessError } from './subprocess-error.ts'

export interface SubprocessOptions {
  /** Ends the program and all it started. */
  readonly signal?: AbortSignal
  /** Hears the last line written, with `data: { bytes, tail }`, at each piece of output; or what `parse` makes of it. */
  readonly progress?: ProgressSink
  /** Milliseconds that the program may run. Default: no limit. */
  readonly timeout?: number
  /** How much of the output's end the result holds, in UTF-16 code units. Default: 100,000. */
  readonly maxTail?: number
  /** How much of it each progress report holds as `data.tail`. Default: 2,000. */
  readonly liveTail?: number
  /** Makes progress of a line, instead of the default. Undefined: nothing to report. */
  readonly parse?: (line: string, from: 'stdout' | 'stderr') => ToolProgress | undefined
  /** Milliseconds between SIGTERM and SIGKILL. Default: 2,000. */
  readonly killGrace?: number
  readonly cwd?: string
  /** The whole environment. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Written to the program's standard input, which is otherwise empty. */
  readonly input?: string
  readonly clock?: Clock
}

/** What came of a program that started. */
export interface SubprocessResult {
  /** `exited`: it ended by itself; `signalled`: somebody else killed it; `timeout`, `aborted`: we did. */
  readonly end: 'exited' | 'signalled' | 'timeout' | 'aborted'
  readonly exitCode: number | null
  readonly signal: string | null
  /** The end of standard output and standard error, in the order in which they came. */
  readonly output: string
  /** Whether `output` is less than everything. */
  readonly truncated: boolean
  readonly bytes: number
  readonly durationMs: number
}

/** How long an ended program's pipes may stay open, by a process that left its group. Milliseconds. */
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
    return new SubprocessError('bad_folder', `${command} was not started: its working folder does not exist`, { cause })
  }
  if (code === 'ENOENT') return new SubprocessError('command_not_found', `${command}: command not found`, { cause })
  if (code === 'EACCES') return new SubprocessError('not_executable', `${command}: not executable`, { cause })
  return new SubprocessError('spawn_failed', `${command} could not be started`, { cause })
}

async function start(command: string, args: readonly string[], options: SubprocessOptions): Promise<ChildProcess> {
  const { cwd, env, input } = options
  try {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env: { ...env } }),
      // The leader of a group of its own, which can be killed as a whole.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    await once(child, 'spawn')
    // Such as a signal that could not be sent: without a listener it would end this process.
    child.on('error', () => {})
    return child
  } catch (cause) {
    throw startError(cause, command, cwd)
  }
}

/** Whether `done` settles within `ms`. */
async function settles(done: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  let cancel = (): void => {}
  const late = new Promise<false>((resolve) => {
    cancel = clock.setTimer(() => resolve(false), ms)
  })
  try {
    return await Promise.race([done.then(() => true), late])
  } finally {
    cancel()
  }
}

interface Watched {
  readonly child: ChildProcess
  readonly group: ProcessGroup
  readonly output: Output
  readonly clock: Clock
}

/** Waits for the program's end, or brings it about, and leaves nothing of it behind. */
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
  // A program that does not read its input ends the pipe: that is its right.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const cancelTimeout = timeout === undefined ? undefined : clock.setTimer(() => stop('timeout'), timeout)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal?.aborted) stop('aborted')
    const { exitCode, signal: by } = await exited
    // What it left in the background would otherwise outlive the call, and may hold its pipes open.
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
 * Runs a program without a shell and streams its output as progress. It resolves when the program and everything it
 * started is gone, whatever ended it: read `end` and `exitCode`. Memory stays bounded by `maxTail`. On abort and timeout
 * the whole process group gets SIGTERM, and SIGKILL after `killGrace`; what the program left in the background ends with
 * it. A process that makes a session of its own (`setsid`) is out of reach. On Windows, which has no process groups, only
 * the program itself is killed.
 *
 * @throws SubprocessError where the program could not be started
 */
export async function fromSubprocess(
  command: string,
  args: readonly string[],
  options: SubprocessOptions = {},
): Promise<SubprocessResult> {
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
