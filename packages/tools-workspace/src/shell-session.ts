import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one command leaves to the next of its run. */
export interface ShellState {
  /** The working folder, or undefined for the workspace. */
  readonly cwd: string | undefined
  /** The exported variables, as `export -p` prints them. */
  readonly exports: string
}

const freshState: ShellState = { cwd: undefined, exports: '' }

/** A command, prepared to take over the state before it and to leave its own. */
export interface PreparedCommand {
  readonly args: readonly string[]
  /** The state after it. Undefined where it left none: it was killed, or its state is too large. */
  readonly after: () => Promise<ShellState | undefined>
  readonly dispose: () => Promise<void>
}

/** Larger states are not kept, in characters. */
const maxState = 262_144

function quote(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * The state travels in files of a fresh private folder, since it may be larger than an argument may be. The command is
 * evaluated by the shell itself, not by a child of it, so that `cd` and `export` stay.
 */
export async function prepareCommand(command: string, before: ShellState): Promise<PreparedCommand> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-shell-'))
  const path = (name: string): string => join(folder, name)
  await writeFile(path('before'), before.exports, { mode: 0o600 })
  await writeFile(path('command'), command, { mode: 0o600 })
  const script = [
    `__millrace_after=${quote(path('after'))}`,
    // Bash sets these two itself; taken over, they could tell of a folder that is no longer there.
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

/** The states of the runs that used the shell last. */
export interface ShellSessions {
  get(runId: string): ShellState
  set(runId: string, state: ShellState): void
  reset(runId: string): void
}

/** How many runs' states are kept. One that is forgotten starts anew, in the workspace. */
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
