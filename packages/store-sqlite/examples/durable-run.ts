// run
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent, type LocalAgent, type RunStore } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { sqliteStores } from '@millrace/store-sqlite'
import { startClaude, text } from '@millrace/testing'

const claude = await startClaude({ script: [{ content: [text('All is well.')] }] })
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
const path = join(folder, 'millrace.db')

const { runs, sessions, state, close } = sqliteStores({ path })
function agentOf(runs: RunStore): LocalAgent {
  const request = { model: 'claude-sonnet-5-5', max_tokens: 2048 }
  return createAgent({ client, request, journal: runJournal(runs) })
}
await agentOf(runs).run({ messages: [{ role: 'user', content: 'How are you?' }], runId: 'run-1' }).result
await sessions.claim('chat', 'run-1', 1_000)
await state.set('plan', { percent: 5 }, 0)
await close()

// Another process, later.
const later = sqliteStores({ path })
const shown: string[] = []
for await (const events of later.runs.read('run-1', 0)) {
  for (const event of events) if (event.type === 'text.delta') shown.push(event.text)
}
assert.equal(shown.join(''), 'All is well.')
assert.deepEqual(await later.runs.abandoned(10), [])
assert.deepEqual(await later.state.get('plan'), { value: { percent: 5 }, version: 1 })
await later.close()
await claude.close()
rmSync(folder, { recursive: true })
