import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type ScriptedClaude, startClaude, text, toolUse } from '@millrace/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPrograms } from './build.ts'

/** A runtime on this machine, or why it does not run here. */
type Found = { readonly path: string; readonly version: string } | { readonly missing: string }

/** Asks the program for its version, which is how it is known to run here. */
function probe(path: string | undefined, wanted: string): Found {
  if (path === undefined || !existsSync(path)) return { missing: 'is not installed' }
  try {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8', timeout: 60_000, stdio: 'pipe' }).trim()
    return version.includes(wanted) ? { path, version } : { missing: `is another version: ${version}` }
  } catch (error) {
    return { missing: `does not start: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unknown'}` }
  }
}

/** The program that a package of npm carries, at this place beside its manifest. */
function ofPackage(manifest: string, program: string, wanted: string): Found {
  return probe(join(dirname(fileURLToPath(manifest)), program), wanted)
}

/** The machine's own Node of that major version, wherever on the PATH. */
function onPath(major: string): Found {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.map((folder) => probe(join(folder, 'node'), `v${major}.`))
  return found.find((each) => 'path' in each) ?? { missing: 'is not installed' }
}

const expected = {
  outcome: 'completed',
  text: 'Order 17 is on its way.',
  turns: 2,
  fallbacks: 1,
  progress: 1,
  finished: 1,
}

let claude: ScriptedClaude
let folder: string
let programs: Awaited<ReturnType<typeof buildPrograms>>
beforeAll(async () => {
  claude = await startClaude({
    script: [{ content: [text('I look.'), toolUse('look_up', { order: '17' })] }, { content: [text(expected.text)] }],
  })
  folder = await mkdtemp(join(tmpdir(), 'millrace-runtimes-'))
  programs = await buildPrograms(folder)
})
afterAll(async () => {
  await claude.close()
  await rm(folder, { recursive: true, force: true })
})

/** Runs the program to its end; what it prints last is what came of the run. */
async function run(path: string, args: readonly string[]): Promise<unknown> {
  claude.setFaults([{ kind: 'destroy', at: { event: 4 }, stream: true }])
  const { stdout } = await promisify(execFile)(path, [...args, programs.cli, claude.url], { timeout: 110_000 })
  return JSON.parse(stdout)
}

const runtimes: readonly (readonly [name: string, found: Found, args: readonly string[]])[] = [
  ['Node 20', onPath('20'), []],
  ['Node 24', ofPackage(import.meta.resolve('node/package.json'), 'bin/node', 'v24.'), []],
  ['Bun', ofPackage(import.meta.resolve('bun/package.json'), 'bin/bun.exe', '1.'), ['run']],
  [
    'Deno',
    ofPackage(import.meta.resolve('deno/package.json'), 'deno', 'deno 2'),
    ['run', '--allow-net', '--allow-env', '--allow-sys', '--no-config', '--no-lock'],
  ],
]

describe('the built package completes a run', () => {
  for (const [name, found, args] of runtimes) {
    const why = 'missing' in found ? ` (skipped: it ${found.missing})` : ''
    it.skipIf('missing' in found)(`under ${name}${why}`, async () => {
      const path = 'path' in found ? found.path : ''
      expect(await run(path, args)).toEqual(expected)
    })
  }

  const workerd = ofPackage(import.meta.resolve('workerd/package.json'), 'bin/workerd', 'workerd')
  const why = 'missing' in workerd ? ` (skipped: it ${workerd.missing})` : ''
  it.skipIf('missing' in workerd)(`under workerd${why}`, async () => {
    claude.setFaults([{ kind: 'destroy', at: { event: 4 }, stream: true }])
    const path = 'path' in workerd ? workerd.path : ''
    const server = spawn(path, ['serve', programs.worker, '--control-fd=3'], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    try {
      const port = await new Promise<number>((onPort, onError) => {
        let errors = ''
        server.stderr?.on('data', (data: Buffer) => (errors += data.toString()))
        server.on('exit', (code) => onError(new Error(`workerd ended with ${code}: ${errors}`)))
        server.stdio[3]?.on('data', (data: Buffer) => {
          const event: unknown = JSON.parse(data.toString())
          if (typeof event === 'object' && event !== null && 'port' in event) onPort(Number(event.port))
        })
      })
      const response = await fetch(`http://127.0.0.1:${port}/${encodeURIComponent(claude.url)}`)
      expect(await response.json()).toEqual(expected)
    } finally {
      server.kill()
    }
  })
})
