import { startSample, type StartedSample } from '@millrace/sample-loop/start-sample'
import { openVisitor } from '@millrace/sample-loop/visitor'
import { expect, onTestFinished, test } from 'vitest'

async function start(script: string, env: Readonly<Record<string, string>> = {}): Promise<StartedSample> {
  const sample = await startSample(new URL('..', import.meta.url), script, env)
  onTestFinished(sample.stop)
  return sample
}

test.each(['before', 'start'])('pnpm %s answers, and remembers its visitor', async (script) => {
  const visitor = openVisitor((await start(script)).url)
  expect(await visitor.chat('Please track order 7')).toContain('Order 7 is in the delivery van.')
  expect(await visitor.chat('Hello')).not.toContain('Hello! I am')
})

test('a signal ends the process when its runs have ended', async () => {
  const { url, process: app, ended } = await start('start', { MILLRACE_STREAMING: 'on' })
  const events = await openVisitor(url).run('Please track order 7', ({ type }) => {
    if (type === 'tool.started') app.kill()
  })
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
  expect(await ended).toBe(0)
})
