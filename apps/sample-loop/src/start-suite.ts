import { expect, onTestFinished, test } from 'vitest'
import { startSample, type StartedSample } from './start-sample.ts'
import { openVisitor } from './visitor.ts'

/**
 * Defines the tests that the start scripts of each chat sample pass.
 *
 * @param folder the folder of the sample's package
 */
export function testStart(folder: URL): void {
  async function start(script: string, env: Readonly<Record<string, string>> = {}): Promise<StartedSample> {
    const sample = await startSample(folder, script, env)
    onTestFinished(() => sample.stop())
    return sample
  }

  test.each(['before', 'start'])('pnpm %s answers and remembers its visitor', async (script) => {
    const visitor = openVisitor((await start(script)).url)
    expect(await visitor.chat('Please track order 7')).toContain('Order 7 is in the delivery van.')
    expect(await visitor.chat('Hello')).not.toContain('Hello! I am')
  })

  test('a signal ends the process once its runs have ended', async () => {
    const { url, process: app, ended } = await start('start', { MILLRACE_STREAMING: 'on' })
    const events = await openVisitor(url).run('Please track order 7', ({ type }) => {
      if (type === 'tool.started') app.kill()
    })
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(await ended).toBe(0)
  })
}
