import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Files by their path in the tree. */
export type Tree = Record<string, string>

/** The packages of every fixture tree. Each can import each by name, as if it had declared it. */
const packages = [
  'core',
  'testing',
  'wire',
  'flags',
  'tool-progress',
  'tools-workspace',
  'client',
  'parity',
  'server',
  'node',
  'hono',
  'express',
]

/** Writes a repository of small packages and `files` into a folder of its own, gone when the test ends. */
export function writeTree(files: Tree): string {
  const root = mkdtempSync(join(tmpdir(), 'boundaries-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const name of packages) writePackage(root, `packages/${name}`, name)
  writePackage(root, 'tooling/config', 'config')
  writePackage(root, 'apps/cli', 'cli')
  writePackage(root, 'apps/web', 'web')
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(join(root, 'packages'), join(root, 'node_modules/@millrace'))
  for (const name of ['cli', 'web']) symlinkSync(join(root, 'apps', name), join(root, 'node_modules', name))
  symlinkSync(join(root, 'tooling/config'), join(root, 'node_modules/config'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

function writePackage(root: string, dir: string, name: string): void {
  mkdirSync(join(root, dir, 'src'), { recursive: true })
  const manifest = { name, type: 'module', exports: { '.': { 'millrace-source': './src/index.ts' } } }
  writeFileSync(join(root, dir, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(root, dir, 'src/index.ts'), `export const name = '${name}'\n`)
}

/** A package from the registry, installed for `dir` and declared in the given field of its manifest, if in any. */
export function installed(dir: string, library: string, field?: string): Tree {
  const manifest = { name: dir, type: 'module', ...(field === undefined ? {} : { [field]: { [library]: '1.0.0' } }) }
  return {
    [`${dir}/package.json`]: JSON.stringify(manifest),
    [`${dir}/node_modules/${library}/package.json`]: JSON.stringify({
      name: library,
      type: 'module',
      main: 'index.js',
    }),
    [`${dir}/node_modules/${library}/index.js`]: 'export const value = 1\n',
  }
}
