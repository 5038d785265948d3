import { startClaude, text } from '@millrace/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { screenOf } from '../recovery/screen.ts'
import type { Scenario } from './crash-scenarios.ts'
import { createWorld, live, runId, takeOver } from './crashes.ts'
import { storedEvents } from './stored-events.ts'

const scenario: Scenario = {
  turns: [{ content: [text('One.'), text('\n\n'), text('Two.'), text('\n')], chunking: { sizes: [3] } }],
  retraction: 'retract',
  outcome: 'completed',
}

let claude: Awaited<ReturnType<typeof startClaude>>
beforeAll(async () => {
  claude = await startClaude({ script: [] })
})
afterAll(() => claude.close())

it('blank text stays in the text of a run, wherever its process dies', async () => {
  const first = createWorld(claude, scenario)
  expect(await live(first, scenario, Infinity)).toMatchObject({ text: 'One.\n\nTwo.\n' })
  const { length } = await storedEvents(first.store, runId)
  for (let lastSeq = 1; lastSeq < length; lastSeq++) {
    const world = createWorld(claude, scenario)
    expect(await live(world, scenario, lastSeq)).toBeUndefined()
    const result = await takeOver(world, scenario, Infinity)
    const at = `died at event ${lastSeq} of ${length}`
    expect(result?.text, at).toBe('One.\n\nTwo.\n')
    expect(screenOf(await storedEvents(world.store, runId)).text(), at).toBe('One.\n\nTwo.\n')
    expect(result?.newMessages, at).toMatchObject([{ content: [{ text: 'One.' }, { text: 'Two.' }] }])
  }
})
