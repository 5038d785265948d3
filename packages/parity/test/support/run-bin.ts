import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { builtBin } from './build-bin.ts'

export interface BinResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunningBin {
  readonly child: ChildProcess
  readonly ended: Promise<BinResult>
  /** Resolves when standard error holds the text. */
  said(text: string): Promise<void>
}

/** A loop's program, to be run with arguments. */
export const program: string = join(import.meta.dirname, '../loops/program.ts')

/** The environment of a user: nothing of this test run's own but what programs need. */
function userEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  // Every test spawns the same programs: half of their time would go into compiling them.
  const cache = { NODE_COMPILE_CACHE: join(dirname(builtBin), '../compile-cache') }
  return { ...Object.fromEntries(kept), ...cache, ANTHROPIC_API_KEY: 'sk-ant-secret-of-the-team', ...env }
}

/** Spawns the built bin. */
export function startBin(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningBin {
  const child = spawn(process.execPath, [builtBin, ...args], { env: userEnvironment(env), stdio: 'pipe' })
  let out = ''
  let err = ''
  const waiting = new Map<string, () => void>()
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
    for (const [text, resolve] of waiting) if (err.includes(text)) resolve()
  })
  return {
    child,
    ended: new Promise((resolve) => {
      child.on('close', (code) => resolve({ code, out, err }))
    }),
    said: (text) =>
      new Promise((resolve) => {
        if (err.includes(text)) resolve()
        else waiting.set(text, resolve)
      }),
  }
}

export async function runBin(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<BinResult> {
  return startBin(args, env).ended
}

/** A folder that is gone when the test ends. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parity-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
