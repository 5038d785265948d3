import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'

const folder = new URL('..', import.meta.url)
const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(new URL('package.json', folder), 'utf8'),
)

interface Started {
  readonly url: string
}

/** Starts the app by one of its scripts, on a free port. */
async function start(script: 'before' | 'start', env: Record<string, string> = {}): Promise<Started> {
  // `exec`, so that a signal reaches the app and not the shell around it.
  const app = spawn(`exec ${scripts[script] ?? ''}`, {
    shell: true,
    cwd: folder,
    env: { ...process.env, ANTHROPIC_API_KEY: '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => app.once('exit', resolve))
  onTestFinished(async () => {
    app.kill()
    await ended
  })
  for await (const line of createInterface(app.stdout)) return { url: line }
  throw new Error('the app ended before it listened')
}

test.each(['before', 'start'] as const)('pnpm %s answers in text', async (script) => {
  const { url } = await start(script)
  const answer = await (await fetch(`${url}/?q=${encodeURIComponent('Please track order 7')}`)).text()
  expect(answer).toContain('Order 7 is in the delivery van.')
})

test('with streaming on the text comes in pieces, and what was said before the tool comes before it has run', async () => {
  const { url } = await start('start', { MILLRACE_STREAMING: 'on' })
  const response = await fetch(`${url}/?q=${encodeURIComponent('Please track order 7')}`)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const pieces: string[] = []
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read())
    pieces.push(piece.value)
  expect(pieces.length).toBeGreaterThan(5)
  expect(pieces.join('')).toMatch(/^Let me use track_order for that\.\n\n.*Order 7 is in the delivery van/s)
})
