import { startSample } from '@millrace/sample-loop/start-sample'
import { expect, onTestFinished, test } from 'vitest'

async function ask(script: string, env: Readonly<Record<string, string>> = {}): Promise<Response> {
  const { url, stop } = await startSample(new URL('..', import.meta.url), script, env)
  onTestFinished(stop)
  return fetch(`${url}/?q=${encodeURIComponent('Please track order 7')}`)
}

test.each(['before', 'start'])('pnpm %s answers in text', async (script) => {
  expect(await (await ask(script)).text()).toContain('Order 7 is in the delivery van.')
})

test('with the flag on, text arrives in pieces, also what the model says before its tool runs', async () => {
  const response = await ask('start', { MILLRACE_STREAMING: 'on' })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const pieces: string[] = []
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    pieces.push(piece.value)
  }
  expect(pieces.length).toBeGreaterThan(5)
  expect(pieces.join('')).toMatch(/^Let me use track_order for that\.\n\n.*Order 7 is in the delivery van/s)
})
