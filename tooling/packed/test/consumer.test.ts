import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compileConsumer } from '../src/consumer-types.ts'
import { admits, findNodes, installConsumer, tryEntries } from '../src/consumer.ts'
import { packedPackage, temporaryFolder, type Change } from './fixture-package.ts'

const node = { path: process.execPath, version: process.versions.node }

async function install(change: Change) {
  const dir = temporaryFolder()
  const pkg = packedPackage(change)
  await installConsumer(dir, [pkg])
  return { dir, pkg }
}

describe('entries', () => {
  it('a good package is imported in silence, and its bin answers', async () => {
    const bin = "#!/usr/bin/env node\nconsole.log('usage: wheel')\n"
    const { dir, pkg } = await install({ manifest: { bin: { wheel: './dist/bin.js' } }, files: { 'dist/bin.js': bin } })
    expect(await tryEntries(dir, pkg, node)).toEqual([])
  })

  it.each([
    ['throws', "throw new Error('broken wheel')\n", 'broken wheel'],
    ['needs what is not there', "import 'hub'\nexport const turns = 1\n", "Cannot find package 'hub'"],
    ['exports nothing', 'export {}\n', 'exports nothing'],
    ['prints', "console.log('hello')\nexport const turns = 1\n", 'hello'],
    ['warns', "process.emitWarning('careful')\nexport const turns = 1\n", 'careful'],
  ])('finds an entry that %s', async (_, code, says) => {
    const { dir, pkg } = await install({ files: { 'dist/index.js': code } })
    expect(await tryEntries(dir, pkg, node)).toEqual([expect.stringContaining(says)])
  })

  it('finds an entry that keeps the process alive', async () => {
    const { dir, pkg } = await install({
      files: { 'dist/index.js': 'export const turns = setInterval(() => {}, 1e6)\n' },
    })
    expect(await tryEntries(dir, pkg, node, 2000)).toEqual([expect.stringContaining('does not end by itself')])
  })

  it('finds a subpath that cannot be imported', async () => {
    const exports = {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './axle': { types: './dist/index.d.ts', default: './dist/axle.js' },
    }
    const { dir, pkg } = await install({ manifest: { exports }, files: { 'dist/axle.js': 'export {\n' } })
    expect(await tryEntries(dir, pkg, node)).toEqual([expect.stringContaining('@millrace/wheel/axle under Node')])
  })

  it.each([
    ['fails', '#!/usr/bin/env node\nprocess.exit(1)\n', /wheel --help under Node .*Command failed/],
    ['says nothing', '#!/usr/bin/env node\n', /wheel --help prints nothing/],
  ])('finds a bin that %s', async (_, code, says) => {
    const { dir, pkg } = await install({
      manifest: { bin: { wheel: './dist/bin.js' } },
      files: { 'dist/bin.js': code },
    })
    expect(await tryEntries(dir, pkg, node)).toEqual([expect.stringMatching(says)])
  })

  it('a tarball that npm refuses is an error', async () => {
    const pkg = packedPackage()
    writeFileSync(pkg.tarball, 'no tarball')
    await expect(installConsumer(temporaryFolder(), [pkg])).rejects.toThrow('npm could not install the tarballs')
  })
})

describe('types', () => {
  it.each(['nodenext', 'bundler'] as const)('good declarations compile: %s', async (resolution) => {
    const { dir, pkg } = await install({})
    expect(compileConsumer({ dir, packages: [pkg], resolution, types: [] })).toEqual([])
  })

  it.each([
    ['a wrong declaration', 'export declare const turns: Gone\n', "Cannot find name 'Gone'"],
    ['a missing import', "export type { Hub } from 'hub'\n", "Cannot find module 'hub'"],
    ['a type of Node in neutral code', 'export declare const turns: Buffer\n', "Cannot find name 'Buffer'"],
  ])('finds %s', async (_, declarations, says) => {
    const { dir, pkg } = await install({ files: { 'dist/index.d.ts': declarations } })
    const found = compileConsumer({ dir, packages: [pkg], resolution: 'nodenext', types: [] })
    expect(found).toEqual([expect.stringContaining(says)])
  })
})

describe('Node versions', () => {
  it('finds each version on the PATH once, and the one that runs', async () => {
    const folders = ['20.20.2', '20.20.2', node.version].map((version) => {
      const folder = temporaryFolder()
      writeFileSync(join(folder, 'node'), `#!/bin/sh\necho v${version}\n`)
      chmodSync(join(folder, 'node'), 0o755)
      return folder
    })
    const empty = temporaryFolder()
    mkdirSync(join(empty, 'bin'))
    expect(await findNodes([empty, ...folders].join(':'))).toEqual([
      node,
      { path: join(folders[0] ?? '', 'node'), version: '20.20.2' },
    ])
  })

  it.each([
    ['>=20.19', '20.20.2', true],
    ['>=20.19', '20.18.3', false],
    ['>=20.19', '24.0.0', true],
    ['>=22.13', '20.20.2', false],
    [undefined, '20.20.2', true],
  ])('%s admits %s: %s', (engines, version, expected) => {
    expect(admits(engines, version)).toBe(expected)
  })
})
