import { nodeVersions } from '@millrace/node-versions'
import { isLong, sampled } from '@millrace/config/sized'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { conformanceCases } from './support/conformance-cases.ts'

const program = fileURLToPath(new URL('support/conformance-program.ts', import.meta.url))
const own = { version: process.versions.node, path: process.execPath }
const cases = Object.values(conformanceCases).flat().length

test.each(isLong ? [...nodeVersions, own] : sampled(nodeVersions, 1))(
  'the stores conform on Node $version',
  async ({ version, path }) => {
    const args = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning', '--conditions=millrace-source']
    const { stdout } = await promisify(execFile)(path, [...args, program])
    expect(JSON.parse(stdout)).toEqual({ version, cases, failures: [] })
  },
)
