import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** A sample that listens. */
export interface StartedSample {
  readonly url: string
  readonly process: ChildProcessByStdio<null, Readable, null>
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>
  /** Ends the process. */
  stop(): Promise<void>
}

/**
 * Starts a sample by one of the scripts of its package, on a free port and with the scripted model.
 *
 * @param folder the folder of the package
 */
export async function startSample(
  folder: URL,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<StartedSample> {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(new URL('package.json', folder), 'utf8'),
  )
  // `exec`, so that a signal reaches the app and not the shell around it.
  const app = spawn(`exec ${scripts[script] ?? 'false'}`, {
    shell: true,
    cwd: folder,
    env: { ...process.env, ANTHROPIC_API_KEY: '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => app.once('exit', resolve))
  const stop = async (): Promise<void> => {
    app.kill()
    await ended
  }
  for await (const line of createInterface(app.stdout)) return { url: line, process: app, ended, stop }
  throw new Error(`${script} ended before it listened`)
}
