import { expect, it } from 'vitest'
import { findOversized, formatSizes, measureSizes } from '../src/sizes.ts'
import { packedPackage } from './fixture-package.ts'

const heavy = `export const turns = [${Array.from({ length: 3000 }, (_, index) => index * 7919).join(',')}]\n`

it('measures what a bundler leaves, and what it imports is not counted', async () => {
  const light = packedPackage({ files: { 'dist/index.js': "// a comment\nexport { turns } from 'hub'\n" } })
  const [size] = await measureSizes([light], {})
  expect(size).toEqual({ specifier: '@millrace/wheel', size: expect.any(Number), with: [], budget: undefined })
  expect(size?.size).toBeLessThan(100)
})

it('counts what is imported from within the package', async () => {
  const pkg = packedPackage({
    files: { 'dist/index.js': "export { turns } from './chunk.js'\n", 'dist/chunk.js': heavy },
  })
  const [size] = await measureSizes([pkg], {})
  expect(size?.size).toBeGreaterThan(5000)
})

it('finds an entry over its budget, and a budget without an entry', async () => {
  const pkg = packedPackage({ files: { 'dist/index.js': heavy } })
  const budget = { max: 1000, with: [] }
  const budgets = { wheel: { '.': budget, './gone': budget }, gone: { '.': budget } }
  const sizes = await measureSizes([pkg], budgets)
  expect(findOversized(sizes, [pkg], budgets)).toEqual([
    `@millrace/wheel has ${sizes[0]?.size} bytes, 1000 are allowed`,
    'budgets.json names "./gone" of wheel, which does not exist',
    'budgets.json names "." of gone, which does not exist',
  ])
  expect(findOversized(sizes, [pkg], {})).toHaveLength(1)
  expect(formatSizes(sizes)).toMatch(/^@millrace\/wheel +\d+ {2}of 1000$/)
})

it('counts another package as far as it is used, where the budget says so', async () => {
  const hub = {
    ...packedPackage({ files: { 'dist/index.js': `${heavy}export const unused = '${'x'.repeat(100)}'\n` } }),
    folder: 'hub',
  }
  hub.manifest.name = '@millrace/hub'
  const wheel = packedPackage({ files: { 'dist/index.js': "export { turns } from '@millrace/hub'\n" } })
  const budgets = { wheel: { '.': { max: 1000, with: ['hub'] } } }
  const [size] = await measureSizes([wheel, hub], budgets)
  expect(size?.size).toBeGreaterThan(5000)
  expect(findOversized(size === undefined ? [] : [size], [wheel, hub], budgets)).toHaveLength(1)
})
