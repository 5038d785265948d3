import { requireProgram } from '@millrace/config/programs'
import { startClaude, text } from '@millrace/testing'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { serverFor } from './opened.ts'

const redis = requireProgram('redis-server')
const example = fileURLToPath(new URL('../examples/two-instances.ts', import.meta.url))

redis.describe('the example of the README', () => {
  it('runs', async () => {
    const server = await serverFor()
    const claude = await startClaude({ script: [{ content: [text('All is well.')] }], chunking: 'whole' })
    onTestFinished(() => claude.close())
    const env = {
      PATH: process.env['PATH'],
      ANTHROPIC_API_KEY: 'any',
      ANTHROPIC_BASE_URL: claude.url,
      REDIS_URL: `redis://127.0.0.1:${server.port}`,
    }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--conditions=millrace-source', example], {
      env,
    })
    expect(stderr).toBe('')
    expect(stdout.trim()).toBe('another instance was shown: All is well.')
  })
})
