import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { startClaude, text } from '@millrace/testing'
import { expect, onTestFinished, test } from 'vitest'
import { createChanges } from '../src/changes.ts'
import { databaseFile, openStores } from './support/test-stores.ts'

test('a cancel by another process stops a run that waits for the model', async () => {
  const path = databaseFile()
  const [own, other] = [openStores({ path }), openStores({ path })]
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const claude = await startClaude({
    async script() {
      await held
      return { content: [text('Too late.')] }
    },
  })
  onTestFinished(() => claude.close())
  // No timer of the run fires, so that neither an append nor a renewal can tell of the cancel.
  const clock = { now: () => Date.now(), setTimer: () => () => {} }
  const agent = createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
    request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
    journal: runJournal(own.runs),
    runtime: { clock },
  })
  const run = agent.run({ messages: [{ role: 'user', content: 'Hello?' }], runId: 'run-1' })
  await claude.nextRequest()
  expect(await other.runs.cancel('run-1', 'by the user')).toBe(true)
  expect(await run.result).toMatchObject({ outcome: 'interrupted' })
  expect(await other.runs.snapshot('run-1')).toMatchObject({ closed: true, cancelled: 'by the user' })
  release()
})

test('waiting for a change polls only while somebody waits, and survives a poll that fails', async () => {
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  let version = 1
  let polled = (): void => {}
  const changes = createChanges(() => {
    polled()
    if (version < 0) throw new Error('locked')
    return version
  }, 1)
  const nextPoll = (): Promise<void> => new Promise((resolve) => (polled = resolve))
  const leaving = new AbortController()
  const seen: string[] = []
  const first = changes.wait('a', leaving.signal).then(() => seen.push('first'))
  // The first poll cannot know what was seen before it, and wakes whoever waits.
  await first
  const own = changes.wait('a', leaving.signal).then(() => seen.push('own'))
  await nextPoll()
  changes.notify('b')
  expect(seen).toEqual(['first'])
  changes.notify('a')
  await own
  version = -1
  await changes.wait('a', leaving.signal)
  version = 2
  await changes.wait('a', leaving.signal)
  const left = changes.wait('a', leaving.signal)
  leaving.abort()
  await left
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(timers)
})
