import { stat } from 'node:fs/promises'
import { stripVTControlCharacters } from 'node:util'
import { defineTool, type Tool, type ToolContext, ToolError } from '@millrace/core'
import { jsonSchema } from '@millrace/json-schema'
import { fromSubprocess, isSubprocessError, type SubprocessResult } from '@millrace/tool-progress/node'
import { keyedQueue } from './keyed-queue.ts'
import type { BashSettings, WorkspaceSettings } from './settings.ts'
import { prepareCommand, type ShellSessions, shellSessions, type ShellState } from './shell-session.ts'

/** Variables for places and languages, which hold no secrets. */
const inherited = [
  'HOME',
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'LC_CTYPE',
  'LOGNAME',
  'PATH',
  'SHELL',
  'TMPDIR',
  'TZ',
  'USER',
] as const

/** Milliseconds between SIGTERM and SIGKILL. */
const killGrace = 2000
/** How many command timeouts a call may take: it may have to wait for other calls of its turn. */
const patience = 4

function environment(own: Readonly<Record<string, string>>): Record<string, string> {
  const env: Record<string, string> = { TERM: 'dumb' }
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  return { ...env, ...own }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** Returns the result for the model. @throws ToolError if the command failed, so that the result is marked as an error */
function describe(result: SubprocessResult, { timeout }: BashSettings): string {
  const { end, exitCode, signal, truncated, bytes } = result
  const output = stripVTControlCharacters(result.output).trimEnd()
  const shown = truncated ? `[only the end of ${bytes} bytes of output is shown]\n${output}` : output
  const fail = (why: string): never => {
    throw new ToolError(shown === '' ? why : `${shown}\n${why}`)
  }
  switch (end) {
    case 'timeout':
      return fail(
        `The command was stopped because it took longer than ${timeout} ms. Everything it started was stopped too.`,
      )
    case 'signalled':
      return fail(`The command was killed by ${signal ?? 'a signal'}.`)
    case 'aborted':
      return fail('The command was stopped.')
    case 'exited':
      return exitCode === 0 ? shown : fail(`Exit code ${exitCode}`)
  }
}

interface Shell {
  readonly settings: WorkspaceSettings
  readonly bash: BashSettings
  readonly sessions: ShellSessions
}

async function runCommand(command: string, { runId, signal, progress }: ToolContext, shell: Shell): Promise<string> {
  const { settings, bash, sessions } = shell
  if (signal.aborted)
    throw new ToolError('The command was not run: the call was stopped before.', {
      cause: signal.reason,
      outcome: 'error',
    })
  const before: ShellState = sessions.get(runId)
  const cwd = before.cwd !== undefined && (await isFolder(before.cwd)) ? before.cwd : settings.workspace.root
  const prepared = await prepareCommand(command, before)
  try {
    const result = await fromSubprocess('bash', prepared.args, {
      cwd,
      env: environment(bash.env),
      signal,
      progress,
      timeout: bash.timeout,
      maxTail: bash.maxOutput,
      killGrace,
      clock: settings.clock,
    })
    const after = await prepared.after()
    if (after !== undefined) sessions.set(runId, after)
    signal.throwIfAborted()
    return describe(result, bash)
  } catch (error) {
    if (isSubprocessError(error)) throw new ToolError('bash could not be started on this machine.', { cause: error })
    throw error
  } finally {
    await prepared.dispose()
  }
}

/** Makes Claude's own `bash` tool. */
export function bashTool(settings: WorkspaceSettings, bash: BashSettings): Tool {
  const sessions = shellSessions()
  const queue = keyedQueue()
  return defineTool({
    name: 'bash',
    description: 'Runs a command in bash. The working folder and exported variables stay for the next command.',
    definition: { type: 'bash_20250124' },
    inputSchema: jsonSchema({
      type: 'object',
      properties: { command: { type: 'string' }, restart: { type: 'boolean' } },
    }),
    timeout: bash.timeout * patience + 10_000,
    run({ command, restart = false }, context) {
      // One after the other, as in a terminal: the second may depend on the first.
      return queue.run(context.runId, async () => {
        if (restart) sessions.reset(context.runId)
        if (command !== undefined) return runCommand(command, context, { settings, bash, sessions })
        if (restart) return 'The shell was restarted.'
        throw new ToolError('Give a command, or restart: true.')
      })
    },
  })
}
