import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'

const folder = new URL('..', import.meta.url)
const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(new URL('package.json', folder), 'utf8'),
)

interface Started {
  readonly url: string
  readonly process: ChildProcessByStdio<null, Readable, null>
  readonly ended: Promise<number | null>
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
  for await (const line of createInterface(app.stdout)) return { url: line, process: app, ended }
  throw new Error('the app ended before it listened')
}

async function chat(url: string, message: string, cookie = ''): Promise<{ reply: string; cookie: string }> {
  const response = await fetch(`${url}/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie },
    body: JSON.stringify({ message }),
  })
  const { reply }: { reply: string } = await response.json()
  return { reply, cookie: response.headers.get('set-cookie')?.split(';', 1).join('') ?? cookie }
}

test.each(['before', 'start'] as const)('pnpm %s answers, and remembers its visitor', async (script) => {
  const { url } = await start(script)
  const first = await chat(url, 'Please track order 7')
  expect(first.reply).toContain('Order 7 is in the delivery van.')
  expect((await chat(url, 'Hello', first.cookie)).reply).not.toContain('Hello! I am')
})

test.each(['on', 'off'])('with streaming %s the old route answers the same', async (MILLRACE_STREAMING) => {
  const { url } = await start('start', { MILLRACE_STREAMING })
  expect((await chat(url, 'Please track order 7')).reply).toContain('Order 7 is in the delivery van.')
})

test('a run under /agent streams, keeps its conversation, and ends with the process', async () => {
  const { url, process: app, ended } = await start('start', { MILLRACE_STREAMING: 'on' })
  const say = async (input: string, cookie = '') =>
    fetch(`${url}/agent/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie },
      body: JSON.stringify({ input }),
    })
  const first = await say('Please track order 7')
  const cookie = first.headers.get('set-cookie')?.split(';', 1).join('') ?? ''
  const events = await first.text()
  expect(events).toContain('"mode":"stream"')
  expect(events).toContain('"message":"airport"')
  expect(events).toContain('"outcome":"completed"')
  expect(await (await say('Hello', cookie)).text()).not.toContain('Hello! I am')
  const last = await say('Please track order 8', cookie)
  app.kill()
  expect(await last.text()).toContain('"outcome":"completed"')
  expect(await ended).toBe(0)
})
