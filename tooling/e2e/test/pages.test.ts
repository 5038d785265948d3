import { requireProgram } from '@millrace/config/programs'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

const require = createRequire(import.meta.url)
const apps = {
  'express-chat': require.resolve('@millrace/express-chat/package.json'),
  'hono-chat': require.resolve('@millrace/hono-chat/package.json'),
} as const

const program = requireProgram('chromium')
let browser: Browser

/** Starts a sample app on a free port, and says where it listens. */
async function startApp(name: keyof typeof apps): Promise<string> {
  const app: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, ['src/start.ts', 'after'], {
    cwd: dirname(apps[name]),
    env: { ...process.env, ANTHROPIC_API_KEY: '', PORT: '0', MILLRACE_STREAMING: 'on' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => app.once('exit', resolve))
  onTestFinished(async () => {
    app.kill('SIGKILL')
    await ended
  })
  for await (const line of createInterface(app.stdout)) return line
  throw new Error('the app ended before it listened')
}

/** A door in front of an app, which can cut what goes through it. */
async function cuttable(url: string): Promise<{ url: string; cut: () => void }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1')
    for (const one of [socket, upstream]) {
      sockets.add(one)
      one.on('error', () => undefined).on('close', () => void sockets.delete(one))
    }
    socket.pipe(upstream).pipe(socket)
  }).listen(0, '127.0.0.1')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, cut }
}

async function openPage(url: string): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage()
  // What never comes ends with the test. A limit of its own would fail the test on a busy machine.
  page.setDefaultTimeout(0)
  const problems: string[] = []
  page.on('pageerror', (error) => void problems.push(error.message))
  onTestFinished(() => page.close())
  await page.goto(url)
  return { page, problems }
}

async function ask(page: Page, message: string): Promise<void> {
  await page.fill('#input', message)
  await page.click('#send')
}

program.describe('the page, in Chromium', () => {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: program.path ?? '', args: ['--no-sandbox'], timeout: 0 })
  })
  afterAll(() => browser.close())

  describe.each(['express-chat', 'hono-chat'] as const)('of %s', (name) => {
    test('text streams, the tool bar fills, and the answer is whole', async () => {
      const { page, problems } = await openPage(await startApp(name))
      await ask(page, 'Please track order 7')
      const bar = page.locator('progress')
      await expect.poll(() => bar.getAttribute('value')).not.toBeNull()
      expect(await bar.getAttribute('max')).toBe('5')
      expect(await page.locator('#stop').isEnabled()).toBe(true)
      await page.waitForFunction(() => document.querySelector('#stop')?.hasAttribute('disabled'))
      expect(await page.locator('.text').allTextContents()).toEqual([
        'Let me use track_order for that.',
        expect.stringContaining('Order 7 is in the delivery van.'),
      ])
      expect(await page.locator('.tool').textContent()).toBe('track_orderok')
      expect(await page.locator('#status').textContent()).toBe('')
      await ask(page, 'Hello')
      await page.waitForFunction(() => document.querySelector('#stop')?.hasAttribute('disabled'))
      expect(await page.locator('.answer').last().textContent()).not.toContain('Hello! I am')
      expect(problems).toEqual([])
    })

    test('retracted text disappears, and its other wording takes its place', async () => {
      const { page, problems } = await openPage(await startApp(name))
      const block = { turn: 1, attempt: 1, block: 0 }
      const retracted = {
        type: 'turn.retracted',
        turn: 1,
        attempt: 2,
        fromBlock: 0,
        fromOffset: 4,
        reason: 'truncated',
      }
      const events = [
        { type: 'text.delta', ...block, text: 'One two three' },
        { type: 'text.delta', ...block, block: 1, text: 'never' },
        retracted,
        { type: 'text.delta', ...block, attempt: 2, text: 'four' },
        { type: 'run.finished', outcome: 'completed' },
      ]
      const body = events.map((event, index) => `id: ${index + 1}\ndata: ${JSON.stringify(event)}\n\n`).join('')
      await page.route('**/agent/runs', (route) => route.fulfill({ headers: { 'millrace-run-id': 'r' }, body: '' }))
      await page.route('**/events', (route) => route.fulfill({ contentType: 'text/event-stream', body }))
      await ask(page, 'count')
      await page.waitForFunction(() => document.querySelector('#stop')?.hasAttribute('disabled'))
      expect(await page.locator('.answer').innerText()).toBe('One four')
      expect(problems).toEqual([])
    })

    test('Stop stops, and keeps what was said', async () => {
      const { page, problems } = await openPage(await startApp(name))
      await ask(page, 'Please track order 7')
      await page.locator('progress').waitFor()
      await page.click('#stop')
      await expect.poll(() => page.locator('#status').textContent()).toBe('Stopped.')
      expect(await page.locator('.text').allTextContents()).toEqual(['Let me use track_order for that.'])
      expect(problems).toEqual([])
    })

    test('a connection that breaks is taken up where it was', async () => {
      const door = await cuttable(await startApp(name))
      const { page, problems } = await openPage(door.url)
      await ask(page, 'Please track order 7')
      await page.locator('.text').first().waitFor()
      door.cut()
      await page.waitForFunction(() => document.querySelector('#stop')?.hasAttribute('disabled'))
      expect(await page.locator('.text').allTextContents()).toEqual([
        'Let me use track_order for that.',
        expect.stringContaining('Order 7 is in the delivery van.'),
      ])
      expect(problems).toEqual([])
    })
  })
})
