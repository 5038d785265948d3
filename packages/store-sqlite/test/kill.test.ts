import { sized } from '@millrace/config/sized'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { deltas, storedEvents } from './support/events.ts'
import { databaseFile, openStores } from './support/test-stores.ts'

const writer = fileURLToPath(new URL('support/writer.ts', import.meta.url))
const kills = sized({ quick: 4, long: 10 })

interface Confirmation {
  readonly runId: string
  readonly tail: number
}

/** Starts a writer, kills it at its confirmation `count`, and returns what was confirmed of each run. */
async function killedWriter(path: string, name: string, count: number): Promise<ReadonlyMap<string, number>> {
  const confirmed = new Map<string, number>()
  const child = fork(writer, [path, name], {
    execArgv: ['--conditions=millrace-source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let confirmations = 0
  child.on('message', ({ runId, tail }: Confirmation) => {
    confirmed.set(runId, tail)
    if (++confirmations === count) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  return confirmed
}

// 100 in all: a test of its own for every ten, so that none takes long.
test.each(sized({ quick: [0], long: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }))(
  'writers that are killed lose nothing that was confirmed, and leave no run torn (%i)',
  async (seed) => {
    const path = databaseFile()
    const confirmed = new Map<string, number>()
    for (let index = 0; index < kills; index += 2) {
      // Spread over the first creates, appends of all sizes, and the checkpoints of a log that has grown.
      const killed = [index, index + 1].map((number) =>
        killedWriter(path, `writer-${number}`, 1 + (((seed * 10 + number) * 37) % 150)),
      )
      for (const map of await Promise.all(killed)) for (const [runId, tail] of map) confirmed.set(runId, tail)
    }
    const { runs } = openStores({ path })
    for (const [runId, tail] of confirmed) {
      const events = await storedEvents(runs, runId)
      expect(events.length).toBeGreaterThanOrEqual(tail)
      const step = Number(runId.split('-')[2])
      // Each append is stored whole or not at all.
      expect(events.length % step).toBe(0)
      expect(events).toEqual(deltas(runId, 1, events.length, '.'.repeat(step * 10)))
    }
    const database = new DatabaseSync(path)
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
  },
)
