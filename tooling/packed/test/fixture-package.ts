import { projectLinks } from '@millrace/config/project-links'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { readUnpacked, type PackedPackage } from '../src/package.ts'

/** What a test changes of a good package; `undefined` takes a file or a field away. */
export interface Change {
  /** The folder under `packages/` that it claims to come from. The default is `wheel`. */
  folder?: string
  manifest?: Record<string, unknown>
  files?: Record<string, string | undefined>
  /** Scripts of the manifest in the repository. */
  scripts?: Record<string, string>
}

const goodManifest = {
  name: '@millrace/wheel',
  version: '1.0.0',
  description: 'A wheel.',
  keywords: ['wheel'],
  license: 'Apache-2.0',
  type: 'module',
  sideEffects: false,
  engines: { node: '>=20.19' },
  files: ['dist', 'README.md', 'LICENSE'],
  exports: {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './package.json': './package.json',
  },
}

const goodFiles = {
  'README.md': '# wheel\n',
  LICENSE: 'Apache License\n',
  'dist/index.js': 'export const turns = 1\n//# sourceMappingURL=index.js.map\n',
  'dist/index.js.map':
    '{"version":3,"sources":["../src/index.ts"],"sourcesContent":["export const turns = 1"],"mappings":""}',
  'dist/index.d.ts': 'export declare const turns: number\n',
}

/** A folder of the test's own, gone when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'packed-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A packed package that breaks no rule, but for the change. */
export function packedPackage({ folder = 'wheel', manifest, files, scripts }: Change = {}): PackedPackage {
  const root = temporaryFolder()
  const dir = join(root, 'package')
  const packed = { ...goodManifest, ...projectLinks(folder), ...manifest }
  for (const [path, text] of Object.entries({ ...goodFiles, ...files, 'package.json': JSON.stringify(packed) })) {
    if (text === undefined) continue
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  const tarball = join(root, `${folder}.tgz`)
  execFileSync('tar', ['-czf', tarball, '-C', root, 'package'])
  const declared = { name: packed.name, scripts: scripts ?? { prepublishOnly: 'build-package' } }
  return readUnpacked({ folder, tarball, dir, declared })
}
