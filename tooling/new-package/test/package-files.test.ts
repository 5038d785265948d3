import { readManifest, repositoryRoot } from '@millrace/config/workspace'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageFiles } from '../src/package-files.ts'

it('writes what the packages that exist have', () => {
  const files = packageFiles('core', { layer: 0, runtime: 'neutral' })
  const [firstLine] = readFileSync(join(repositoryRoot, 'packages/core/vitest.config.ts'), 'utf8').split('\n')
  expect(files['vitest.config.ts']?.split('\n')[0]).toBe(firstLine)
  const {
    name,
    license,
    type,
    engines,
    files: packed,
    homepage,
    bugs,
    repository,
  } = readManifest(join(repositoryRoot, 'packages/core/package.json'))
  expect(JSON.parse(files['package.json'] ?? '')).toMatchObject({
    name,
    license,
    type,
    engines,
    files: packed,
    homepage,
    bugs,
    repository,
  })
})

it('gives a package for Node the types of Node, and a neutral one none', () => {
  const withNode = expect.stringContaining('"node"')
  expect(packageFiles('a', { layer: 1, runtime: 'node' })['tsconfig.json']).toEqual(withNode)
  expect(packageFiles('a', { layer: 1, runtime: 'neutral', nodeEntries: ['node'] })['tsconfig.json']).toEqual(withNode)
  expect(packageFiles('a', { layer: 1, runtime: 'neutral' })['tsconfig.json']).not.toEqual(withNode)
})
