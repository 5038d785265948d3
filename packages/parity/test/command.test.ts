import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { formatCassette } from '../src/index.ts'
import { runCommand } from '../src/bin/command.ts'
import type { CommandHost } from '../src/bin/host.ts'
import { claudeFor, recordLoop } from './support/recorded.ts'
import { makeFolder, program } from './support/run-bin.ts'

interface TestHost extends CommandHost {
  readonly lines: string[]
  readonly errors: string[]
  readonly statuses: string[]
  /** Sends a signal to whoever listens. */
  readonly signal: (signal: NodeJS.Signals) => void
}

/** A process of its own, in this one. Each look at its clock takes four seconds. */
function hostWith(change: Partial<CommandHost> = {}): TestHost {
  const listeners = new Set<(signal: NodeJS.Signals) => void>()
  const lines: string[] = []
  const errors: string[] = []
  const statuses: string[] = []
  let now = 0
  return {
    lines,
    errors,
    statuses,
    signal(signal) {
      for (const listener of listeners) listener(signal)
    },
    out: (line) => lines.push(line),
    err: (line) => errors.push(line),
    isTerminal: { out: false, err: false },
    status: (line) => statuses.push(line),
    version: () => '0.0.0',
    env: {},
    now: () => (now += 4_000),
    onSignal(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    sharesKeyboard: false,
    ...change,
  }
}

/** A folder of cassettes that are equal. */
async function folderOf(count: number): Promise<string> {
  const folder = await makeFolder()
  const cassette = await recordLoop([{ content: [text('Hello')] }])
  for (let index = 0; index < count; index++) {
    await writeFile(join(folder, `${index}.cassette.json`), formatCassette(cassette))
  }
  return folder
}

describe('progress', () => {
  it('is one line of a terminal that is cleared in the end', async () => {
    const host = hostWith({ isTerminal: { out: true, err: true } })
    expect(await runCommand(['compare', await folderOf(3), '--variant', 'events'], host)).toBe(0)
    expect(host.statuses.filter((line) => line !== '')).toEqual(['1 of 3 cassettes', '2 of 3 cassettes'])
    expect(host.statuses.at(-1)).toBe('')
    expect(host.lines[0]).toContain('\u001B[32mequal\u001B[39m')
  })

  it('is a line every ten seconds without a terminal', async () => {
    const host = hostWith()
    expect(await runCommand(['baseline', await folderOf(9)], host)).toBe(0)
    expect(host.statuses).toEqual([])
    // Each takes four seconds here.
    expect(host.errors).toEqual(['3 of 9 cassettes', '6 of 9 cassettes'])
  })
})

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends a comparison', async (signal, code) => {
  const host = hostWith({ isTerminal: { out: false, err: true }, status: () => host.signal(signal) })
  expect(await runCommand(['compare', await folderOf(3)], host)).toBe(code)
  expect(host.errors).toEqual([`ended by ${signal}`])
})

describe('Ctrl-C while recording', () => {
  it.each([
    // The terminal sends it to the loop by itself; twice would be a different thing to say.
    [{ sharesKeyboard: true }, 0],
    [{ sharesKeyboard: false }, 130],
  ] as const)('reaches the loop once: %j', async (keyboard, expected) => {
    const answer = deferred()
    const claude = await claudeFor(async () => {
      await answer.promise
      return { content: [text('Hello')] }
    })
    const folder = await makeFolder()
    const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: claude.url, ANTHROPIC_API_KEY: 'sk-ant-0123456789' }
    const host = hostWith({ ...keyboard, env })
    const arrived = claude.nextRequest()
    const ended = runCommand(
      ['record', '--out', folder, '--', process.execPath, program, 'options-object', 'Hello'],
      host,
    )
    await arrived
    host.signal('SIGINT')
    if (keyboard.sharesKeyboard) answer.resolve()
    expect(await ended).toBe(expected)
    expect(await readdir(folder)).toHaveLength(1)
  })
})
