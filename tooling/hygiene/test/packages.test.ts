import type { WorkspacePackage } from '@millrace/config/workspace'
import { expect, it } from 'vitest'
import { findUnchecked } from '../src/packages.ts'

function pkg(group: WorkspacePackage['group'], ...scripts: string[]): WorkspacePackage {
  const manifest = { name: 'wheel', scripts: Object.fromEntries(scripts.map((script) => [script, 'true'])) }
  return { group, folder: 'wheel', dir: `${group}/wheel`, manifest }
}

it('finds packages that no script checks', () => {
  expect(findUnchecked([pkg('packages', 'types'), pkg('apps', 'test'), pkg('tooling')])).toEqual([
    'packages/wheel/package.json: unchecked: it has no script "build"',
    'packages/wheel/package.json: unchecked: it has no script "test"',
    'apps/wheel/package.json: unchecked: it has no script "types"',
    'tooling/wheel/package.json: unchecked: it has no script "test"',
    'tooling/wheel/package.json: unchecked: it has no script "types"',
  ])
})

it('lets whole packages pass', () => {
  expect(findUnchecked([pkg('packages', 'build', 'test', 'types'), pkg('apps', 'test', 'types')])).toEqual([])
})

it('asks no tests of a part that other packages test', () => {
  expect(findUnchecked([{ ...pkg('tooling', 'types'), dir: 'tooling/faults' }])).toEqual([])
  expect(findUnchecked([{ ...pkg('tooling'), dir: 'tooling/faults' }])).toEqual([
    'tooling/faults/package.json: unchecked: it has no script "types"',
  ])
})
