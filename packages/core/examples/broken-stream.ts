// run
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'
import { type AgentCallbacks, type AgentEvent, createAgent, defineTool, type RunResult } from '@millrace/core'
import { type FaultPlan, startClaude, text, toolUse } from '@millrace/testing'
import { z } from 'zod'

// Records the events of runs whose streams are cut. docs/recovery.md shows them.

// #region scene
const claude = await startClaude({
  script: (conversation) => {
    if (conversation.toolResults.length === 0) {
      return { content: [text('I look.'), toolUse('find_order', { id: 'A-17' }), text('One moment, please.')] }
    }
    // Asked once more, the model words its answer differently.
    const answer = conversation.attempt === 1 ? 'It was sent on Monday.' : 'It was shipped on Monday.'
    return conversation.continued({ content: [text(answer)] })
  },
})

const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [
    defineTool({
      name: 'find_order',
      description: 'Finds an order.',
      inputSchema: z.object({ id: z.string() }),
      run: ({ id }) => `${id} was sent on Monday`,
    }),
  ],
  recovery: { backoff: 1 },
})
// #endregion scene

/** Runs the agent once with these faults, and records its events. */
async function record(
  faults: FaultPlan,
  callbacks: AgentCallbacks = {},
): Promise<{ readonly lines: string; readonly result: RunResult }> {
  claude.setFaults(faults)
  const lines: string[] = []
  let delta = ''
  const run = agent.run({ messages: [{ role: 'user', content: 'Where is A-17?' }], callbacks })
  for await (const event of run) {
    const [what, piece] = describe(event)
    // Joins consecutive deltas, because the network decides where they are cut.
    if (piece !== undefined && what === delta) lines[lines.length - 1] += piece
    else lines.push(`${what}${piece ?? ''}`)
    delta = piece === undefined ? '' : what
  }
  return { lines: lines.join('\n'), result: await run.result }
}

function describe(event: AgentEvent): readonly [what: string, piece?: string] {
  switch (event.type) {
    case 'turn.started':
      return [`turn.started     turn ${event.turn}, attempt ${event.attempt}, ${event.mode}`]
    case 'block.started':
      return [`block.started    block ${event.block}, ${event.kind}`]
    case 'block.finished':
      return [`block.finished   block ${event.block}, length ${event.length}`]
    case 'text.delta':
      return [`text.delta       block ${event.block}: `, event.text]
    case 'tool.input':
      return [`tool.input       block ${event.block}: `, event.json]
    case 'tool.started':
      return [`tool.started     ${event.name}`]
    case 'tool.finished':
      return [`tool.finished    ${event.name}, ${event.outcome}`]
    case 'fallback':
      return [`fallback         from ${event.from} to ${event.to}, ${event.reason}, ${event.stage}`]
    case 'turn.retracted':
      return [`turn.retracted   from block ${event.fromBlock}, offset ${event.fromOffset}`]
    case 'turn.finished':
      return [`turn.finished    ${event.stopReason ?? 'no stop reason'}${event.salvaged === true ? ', salvaged' : ''}`]
    case 'run.finished':
      return [`run.finished     ${event.outcome}${event.error === undefined ? '' : `, ${event.error.code}`}`]
    default:
      return [event.type]
  }
}

/** Returns a region of broken-stream.txt, which the page shows. */
function shownAs(region: string): string {
  const page = readFileSync(new URL('broken-stream.txt', import.meta.url), 'utf8')
  const [, lines = ''] = page.split(`// #region ${region}\n`)
  return lines.split('\n// #endregion')[0] ?? ''
}

// #region cuts
/** Cuts turn 1 in the text after its call, and turn 2 in the middle of the answer. */
const cuts: FaultPlan = [
  { kind: 'destroy', at: { event: 13 }, turn: 1, times: 1 },
  { kind: 'destroy', at: { event: 6 }, turn: 2, times: 1 },
]
// #endregion cuts

const retracting = await record(cuts)
assert.equal(retracting.lines, shownAs('retract'))
assert.equal(retracting.result.text, 'It was shipped on Monday.')

// A consumer with `onText` alone cannot retract text.
let shown = ''
const bound = await record(cuts, { onText: (piece) => void (shown += piece) })
assert.equal(bound.lines, shownAs('continue'))
assert.equal(shown, 'I look.One moment,It was sent on Monday.')
assert.equal(bound.result.text, 'It was sent on Monday.')

const withoutStreams = await record([{ kind: 'destroy', at: { event: 4 }, stream: true, times: 'forever' }])
assert.equal(withoutStreams.lines, shownAs('buffered'))

const overloaded = await record([{ kind: 'status', status: 529, times: 'forever' }])
assert.equal(overloaded.lines, shownAs('failed'))
assert.equal(overloaded.result.error?.retryable, true)

await claude.close()
