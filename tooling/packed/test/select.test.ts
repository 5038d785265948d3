import type { WorkspacePackage } from '@millrace/config/workspace'
import { expect, it } from 'vitest'
import { selectPackages } from '../src/package.ts'

const pkg = (folder: string, manifest: Partial<WorkspacePackage['manifest']> = {}): WorkspacePackage => ({
  group: 'packages',
  folder,
  dir: `packages/${folder}`,
  manifest: { name: `@millrace/${folder}`, ...manifest },
})

const all = [
  pkg('axle'),
  pkg('hub', { peerDependencies: { '@millrace/axle': '1' } }),
  pkg('wheel', { dependencies: { '@millrace/hub': '1', other: '1' }, devDependencies: { '@millrace/spoke': '1' } }),
  pkg('spoke'),
  pkg('hidden', { private: true }),
  { ...pkg('app'), group: 'apps' as const },
]
const select = (...only: string[]) => selectPackages(all, only).map(({ folder }) => folder)

it('takes all public packages, or the named ones with what they need', () => {
  expect(select()).toEqual(['axle', 'hub', 'wheel', 'spoke'])
  expect(select('axle')).toEqual(['axle'])
  expect(select('wheel')).toEqual(['wheel', 'hub', 'axle'])
})

it.each(['gone', 'hidden', 'app'])('refuses %s', (folder) => {
  expect(() => select(folder)).toThrow(`packages/${folder} is not a public package`)
})
