import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The state that a command leaves for the next one of its run. */
export interface ShellState {
  /** The working folder, or undefined for the workspace. */
  readonly cwd: string | undefined
  /** The exported variables, as `export -p` prints them. */
  readonly exports: string
}

const freshState: ShellState = { cwd: undefined, exports: '' }

/** A command that starts from the state before it and leaves its own. */
export interface PreparedCommand {
  readonly args: readonly string[]
  /** Returns the state after it, or undefined if it left none: it was killed, or its state is too large. */
  readonly after: () => Promise<ShellState | undefined>
  readonly dispose: () => Promise<void>
}

/** Larger states are not kept. In UTF-16 code units. */
const maxState = 262_144

function quote(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * Prepares a command. The state is passed in files of a private folder, because it may be too large for an argument. The
 * shell evaluates the command itself, without a child process, so that `cd` and `export` last.
 */
export async function prepareCommand(command: string, before: ShellState): Promise<PreparedCommand> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-shell-'))
  const path = (name: string): string => join(folder, name)
  await writeFile(path('before'), before.exports, { mode: 0o600 })
  await writeFile(path('command'), command, { mode: 0o600 })
  const script = [
    `__millrace_after=${quote(path('after'))}`,
    // Bash sets these two itself. Restored, they could name a folder that no longer exists.
    `trap '{ printf "%s\\0" "$PWD"; (unset PWD SHLVL; export -p); } >"$__millrace_after" 2>/dev/null' EXIT`,
    `. ${quote(path('before'))} 2>/dev/null`,
    `eval "$(<${quote(path('command'))})"`,
  ].join('\n')
  return {
    args: ['--noprofile', '--norc', '-c', script],
    async after() {
      const text = await readFile(path('after'), 'utf8').catch(() => '')
      const end = text.indexOf('\0')
      if (end <= 0 || text.length > maxState) return undefined
      return { cwd: text.slice(0, end), exports: text.slice(end + 1) }
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The states of the runs that used the shell most recently. */
export interface ShellSessions {
  get(runId: string): ShellState
  set(runId: string, state: ShellState): void
  reset(runId: string): void
}

/** The number of runs whose state is kept. Any other run starts in the workspace again. */
const maxSessions = 200

export function shellSessions(): ShellSessions {
  const states = new Map<string, ShellState>()
  return {
    get: (runId) => states.get(runId) ?? freshState,
    set(runId, state) {
      states.delete(runId)
      states.set(runId, state)
      const [oldest] = states.keys()
      if (states.size > maxSessions && oldest !== undefined) states.delete(oldest)
    },
    reset: (runId) => void states.delete(runId),
  }
}
