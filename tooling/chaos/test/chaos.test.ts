import { withPostgresPath } from '@millrace/config/postgres-server'
import { requireProgram } from '@millrace/config/programs'
import { describe, expect, it } from 'vitest'
import { chaos } from '../src/chaos.ts'
import type { StoreName } from '../src/stores.ts'
import { summaryOf } from '../src/summary.ts'

// A few seconds for each store. `pnpm chaos` runs 200 in about five minutes, of which one or two still end unsound.
const size = { runs: 4, atOnce: 4, harmForMs: 2500, harmEveryMs: 800 }

async function expectSound(store: StoreName): Promise<void> {
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`)
  const report = await chaos({ store, seed: 1, ...size, onProgress })
  const { text, isSound } = summaryOf(store, report)
  expect(isSound, text).toBe(true)
  expect(report.verdicts.filter(({ outcome }) => outcome === 'completed').length, text).toBeGreaterThan(0)
  expect(Object.keys(report.harms).length, text).toBeGreaterThan(0)
}

requireProgram('redis-server').describe('instances that are killed, over Redis', () => {
  it('end every run, make no charge twice, and show each client what is stored', () => expectSound('redis'), 600_000)
})

const postgres = requireProgram('postgres', { env: withPostgresPath(process.env) })

postgres.describe('instances that are killed, over Postgres', () => {
  it('end every run, make no charge twice, and show each client what is stored', () => expectSound('postgres'), 600_000)
})

describe('instances that are killed, over SQLite', () => {
  it('end every run, make no charge twice, and show each client what is stored', () => expectSound('sqlite'), 600_000)
})
