import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { requirePostgres, sharedServer } from './support/server.ts'

const example = fileURLToPath(new URL('../examples/two-processes.ts', import.meta.url))

requirePostgres().describe('the example of the README', () => {
  const server = sharedServer()
  test('runs', async () => {
    const env = { ...process.env, DATABASE_URL: server().url }
    const run = promisify(execFile)(process.execPath, ['--conditions=millrace-source', example], { env })
    await expect(run).resolves.toMatchObject({ stdout: '', stderr: '' })
  })
})
