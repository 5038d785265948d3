import { readManifest, repositoryRoot } from '@millrace/config/workspace'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageFiles } from '../src/package-files.ts'

it('writes what the packages that exist have', () => {
  const files = packageFiles('core', { layer: 0, runtime: 'neutral' })
  for (const name of ['tsup.config.ts', 'vitest.config.ts']) {
    expect(files[name]?.split('\n')[0]).toBe(
      readFileSync(join(repositoryRoot, 'packages/core', name), 'utf8').split('\n')[0],
    )
  }
  const {
    name,
    license,
    type,
    engines,
    files: packed,
  } = readManifest(join(repositoryRoot, 'packages/core/package.json'))
  expect(JSON.parse(files['package.json'] ?? '')).toMatchObject({ name, license, type, engines, files: packed })
})

it('gives a package for Node the types of Node, and a neutral one none', () => {
  const withNode = expect.stringContaining('"node"')
  expect(packageFiles('a', { layer: 1, runtime: 'node' })['tsconfig.json']).toEqual(withNode)
  expect(packageFiles('a', { layer: 1, runtime: 'neutral', nodeEntries: ['node'] })['tsconfig.json']).toEqual(withNode)
  expect(packageFiles('a', { layer: 1, runtime: 'neutral' })['tsconfig.json']).not.toEqual(withNode)
})
