import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { nodeVersions } from '../src/node-versions.ts'

test.each(nodeVersions)('Node $version is there, and is that version', ({ version, path }) => {
  expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toBe(`v${version}\n`)
})
