import { type AgentEvent, checksum, type EventBody } from '@millrace/core'
import { startClaude } from '@millrace/testing'
import { afterEach, describe, expect, it } from 'vitest'
import type { LoopResult } from '../src/demo/legacy-loop.ts'
import { createRunCheck } from '../src/demo/run-check.ts'
import { runScene, type Stage } from '../src/demo/run-scene.ts'
import { scenes } from '../src/demo/scenes.ts'

const place = { turn: 1, attempt: 1, block: 0 }

function numbered(bodies: readonly EventBody[]): AgentEvent[] {
  return bodies.map((body, index) => ({ ...body, seq: index + 1, runId: 'r', at: 0 }))
}

function problemsOf(events: readonly AgentEvent[]): readonly string[] {
  const check = createRunCheck()
  for (const event of events) check.see(event)
  return check.problems
}

function block(deltas: readonly string[], text: string): AgentEvent[] {
  return numbered([
    { type: 'block.started', ...place, kind: 'text' },
    ...deltas.map((delta): EventBody => ({ type: 'text.delta', ...place, text: delta })),
    { type: 'block.finished', ...place, kind: 'text', length: text.length, checksum: checksum(text) },
  ])
}

describe('the check of a run', () => {
  it('finds nothing wrong with a block that adds up, also after a retraction', () => {
    expect(problemsOf(block(['One ', 'two'], 'One two'))).toEqual([])
    const events = numbered([
      { type: 'block.started', ...place, kind: 'text' },
      { type: 'text.delta', ...place, text: 'One three' },
      { type: 'turn.retracted', turn: 1, attempt: 2, fromBlock: 0, fromOffset: 4, reason: 'connection_lost' },
      { type: 'text.delta', ...place, attempt: 2, text: 'two' },
      { type: 'block.finished', ...place, kind: 'text', length: 7, checksum: checksum('One two') },
    ])
    expect(problemsOf(events)).toEqual([])
  })

  it.each([
    ['doubled text', block(['One ', 'One ', 'two'], 'One two')],
    ['lost text', block(['One '], 'One two')],
    ['other text of the same length', block(['One ', 'ten'], 'One two')],
    ['a delta of no block', numbered([{ type: 'text.delta', ...place, text: 'x' }])],
    ['a gap in the numbers', block(['One'], 'One').filter(({ seq }) => seq !== 2)],
    [
      'an event after the end',
      numbered([
        { type: 'run.finished', outcome: 'completed', stopReason: null, usage: { input_tokens: 0, output_tokens: 0 } },
        { type: 'turn.started', turn: 2, attempt: 1, mode: 'stream' },
      ]),
    ],
  ])('finds %s', (_, events) => {
    expect(problemsOf(events)).not.toEqual([])
  })
})

describe('a scene that does not go as it should', () => {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  async function stage(notes: readonly string[], result: LoopResult): Promise<Stage> {
    const claude = await startClaude({ script: [] })
    closing.push(() => claude.close())
    let asked = 0
    return {
      claude,
      loop: () => Promise.resolve(result),
      flag: { getBooleanDetails: (_, fallback) => ({ value: fallback }), set: () => {} },
      tools: {
        agentTools: [],
        loopTools: [],
        surveys: () => 0,
        notes: () => Promise.resolve(asked++ === 0 ? [] : notes),
      },
      listen: () => {},
      signal: new AbortController().signal,
    }
  }

  it('is reported: nothing happened, two notes, a text that nobody saw', async () => {
    const [scene] = scenes
    if (scene === undefined) throw new Error('there is a first scene')
    const messages = [{ role: 'assistant' as const, content: 'Unseen' }]
    const { problems } = await runScene(scene, await stage(['a', 'a'], { text: 'Other', messages }), () => {})
    expect(problems).toEqual([
      'outcome: undefined, expected "completed"',
      'arm: undefined, expected "streaming"',
      'requests: [], expected ["stream","stream","stream"]',
      'surveys that were run: 0, expected 1',
      'notes in the journal: 2, expected 1',
      'tool calls: [], expected ["survey_folder","write_note"]',
      'text that was shown: [], expected ["Unseen"]',
      'text of the answer: "Other", expected "Unseen"',
    ])
  })
})
