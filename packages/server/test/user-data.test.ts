import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { expect, test } from 'vitest'
import { deleteUserData, exportUserData } from '../src/index.ts'

const lease = 30_000

async function stores() {
  const runs = memoryRunStore()
  const sessions = memorySessionStore()
  for (const owner of ['ada', 'eve']) {
    for (let index = 0; index < 101; index++) {
      const runId = `${owner}-${index}`
      await runs.create({ runId, owner, messages: [{ role: 'user', content: 'hi' }], createdAt: index }, lease)
      await sessions.claim(`${owner}/chat-${index}`, runId, lease, owner)
    }
  }
  return { runs, sessions }
}

test('exports the sessions and runs of one user, over all pages', async () => {
  const found = new Set<string>()
  for await (const piece of exportUserData(await stores(), 'ada')) {
    const name = piece.type === 'run' ? piece.run.runId : piece.session.sessionId
    expect(name.startsWith('ada')).toBe(true)
    found.add(name)
  }
  expect(found.size).toBe(202)
})

test('deletes the data of one user alone, and stops their runs', async () => {
  const kept = await stores()
  const cancelled: string[] = []
  const runs = {
    ...kept.runs,
    async cancel(runId: string, reason: string) {
      cancelled.push(runId)
      return kept.runs.cancel(runId, reason)
    },
  }
  expect(await deleteUserData({ ...kept, runs }, 'ada')).toEqual({ sessions: 101, runs: 101 })
  expect(cancelled).toHaveLength(101)
  expect(await kept.runs.list({ owner: 'ada', limit: 10 })).toEqual([])
  expect(await kept.sessions.list({ owner: 'ada', limit: 10 })).toEqual([])
  expect(await kept.runs.append('ada-0', 1, [])).toEqual({ status: 'not_found' })
  expect(await deleteUserData(kept, 'ada')).toEqual({ sessions: 0, runs: 0 })
  expect(await kept.runs.list({ owner: 'eve', limit: 500 })).toHaveLength(101)
})
