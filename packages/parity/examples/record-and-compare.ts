// run
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { startClaude, text, toolUse } from '@millrace/testing'

const claude = await startClaude({
  script: [{ content: [text('I look.'), toolUse('find_user', { id: 'u-1' })] }, { content: [text('That is Ada.')] }],
})
const folder = await mkdtemp(join(tmpdir(), 'cassettes-'))
const baseURL = claude.url
const apiKey = 'sk-ant-of-the-team'

// #region record
import Anthropic from '@anthropic-ai/sdk'
import { createRecorder, recordingFetch } from '@millrace/parity'
import { cassetteFolder } from '@millrace/parity/node'

const recorder = createRecorder({
  sink: await cassetteFolder(folder),
  redact: ['messages.*.content.*.input.id'],
  onProblem: (problem) => console.warn(problem.message),
})
const client = new Anthropic({ apiKey, baseURL, fetch: recordingFetch({ recorder }) })

await yourLoop(client, 'Who is u-1?')
await recorder.close()
// #endregion record

// #region compare
import { baseline, compareCassette, formatReport, parseCassette } from '@millrace/parity'
import { replayServer } from '@millrace/parity/node'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const [name = ''] = await readdir(folder)
const cassette = parseCassette(await readFile(join(folder, name), 'utf8'))

const report = await compareCassette(cassette, { place: replayServer })
console.log(formatReport(name, report).join('\n'))

const { runs, latency, gates } = baseline([cassette])
console.log(runs.rate, latency.run.p95, gates.toolFailure.rate)
// #endregion compare

assert.equal(report.equal, true)
assert.equal(report.turns, 2)
assert.deepEqual([runs.total, runs.rate], [1, 1])
assert.ok(!JSON.stringify(cassette).includes(apiKey))
assert.ok(!JSON.stringify(cassette).includes('"id":"u-1"'))

await rm(folder, { recursive: true })
await claude.close()

/** The loop that a team has. */
async function yourLoop(anthropic: Anthropic, question: string): Promise<string> {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: question }]
  for (;;) {
    const { content, stop_reason } = await anthropic.messages.create({
      model: 'claude-sonnet-5-5',
      max_tokens: 1_000,
      messages,
      tools: [{ name: 'find_user', input_schema: { type: 'object' } }],
    })
    messages.push({ role: 'assistant', content })
    if (stop_reason !== 'tool_use') return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    messages.push({
      role: 'user',
      content: content.flatMap((block): Anthropic.ToolResultBlockParam[] =>
        block.type === 'tool_use' ? [{ type: 'tool_result', tool_use_id: block.id, content: 'Ada' }] : [],
      ),
    })
  }
}
