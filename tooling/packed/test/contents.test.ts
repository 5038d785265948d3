import { projectLinks } from '@millrace/config/project-links'
import { repositoryRoot } from '@millrace/config/workspace'
import { describe, expect, it } from 'vitest'
import { checkContents } from '../src/check.ts'
import { packedRules } from '../src/rules.ts'
import { packedPackage, type Change } from './fixture-package.ts'

const entry = { types: './dist/index.d.ts', default: './dist/index.js' }

/** For each rule, the changes that break it, with what it then says. */
const violations: Record<string, [change: Change, says: string][]> = {
  esm: [[{ manifest: { type: undefined } }, '"type" is not "module"']],
  'side-effects': [
    [{ manifest: { sideEffects: undefined } }, '"sideEffects" is not false'],
    [{ manifest: { sideEffects: true } }, '"sideEffects" is not false'],
  ],
  engines: [
    [{ manifest: { engines: undefined } }, '"engines.node" is not ">=20.19" or a later minimum'],
    [{ manifest: { engines: { node: '>=18' } } }, '"engines.node" is not ">=20.19" or a later minimum'],
  ],
  license: [
    [{ manifest: { license: 'MIT' } }, '"license" is not "Apache-2.0"'],
    [{ files: { LICENSE: undefined } }, 'LICENSE is not packed'],
  ],
  described: [
    [{ manifest: { description: '' } }, '"description" is missing'],
    [{ files: { 'README.md': undefined } }, 'README.md is not packed'],
  ],
  linked: [
    [{ manifest: { keywords: undefined } }, '"keywords" is missing'],
    [{ manifest: { keywords: [] } }, '"keywords" is missing'],
    [
      { manifest: { homepage: undefined } },
      '"homepage" is not "https://github.com/millrace/millrace/tree/main/packages/wheel#readme"',
    ],
    [{ manifest: { bugs: 'elsewhere' } }, '"bugs" is not "https://github.com/millrace/millrace/issues"'],
    [
      { manifest: { repository: { ...projectLinks('wheel').repository, directory: 'packages/hub' } } },
      '"repository" is not {"type":"git","url":"git+https://github.com/millrace/millrace.git","directory":"packages/wheel"}',
    ],
  ],
  contents: [
    [{ files: { 'src/index.ts': '' } }, 'src/index.ts does not belong into the package'],
    [{ files: { 'test/a.test.ts': '' } }, 'test/a.test.ts does not belong into the package'],
    [{ files: { 'vitest.config.ts': '' } }, 'vitest.config.ts does not belong into the package'],
    [
      { files: { 'dist/index.js': undefined, 'dist/index.js.map': undefined, 'dist/index.d.ts': undefined } },
      'dist is empty: the package was not built',
    ],
  ],
  exports: [
    [
      {
        manifest: {
          exports: { '.': { 'millrace-source': './src/index.ts', ...entry }, './package.json': './package.json' },
        },
      },
      '"." is not { types, default }: {"millrace-source":"./src/index.ts","types":"./dist/index.d.ts","default":"./dist/index.js"}',
    ],
    [{ manifest: { exports: { './package.json': './package.json' } } }, 'there is no root entry'],
    [{ manifest: { exports: { '.': entry } } }, '"./package.json" is not exported'],
    [
      {
        manifest: {
          exports: { '.': { default: entry.default, types: entry.types }, './package.json': './package.json' },
        },
      },
      '"." does not name its types first',
    ],
  ],
  targets: [
    [{ files: { 'dist/index.js': undefined } }, './dist/index.js is exported and not packed'],
    [{ files: { 'dist/index.d.ts': undefined } }, './dist/index.d.ts is exported and not packed'],
  ],
  bins: [
    [{ manifest: { bin: { wheel: './dist/bin.js' } } }, 'bin wheel: ./dist/bin.js is not packed'],
    [
      { manifest: { bin: { wheel: './dist/bin.js' } }, files: { 'dist/bin.js': 'export {}\n' } },
      'bin wheel: ./dist/bin.js does not begin with #!/usr/bin/env node',
    ],
  ],
  'dependency-ranges': [
    [
      { manifest: { dependencies: { hub: 'workspace:^' } } },
      'hub: "workspace:^" is not a range that a consumer can share (^1.2.3)',
    ],
    [
      { manifest: { peerDependencies: { hub: 'catalog:' } } },
      'hub: "catalog:" is not a range that a consumer can share (^1.2.3)',
    ],
    [
      { manifest: { dependencies: { hub: '1.2.3' } } },
      'hub: "1.2.3" is not a range that a consumer can share (^1.2.3)',
    ],
  ],
  'declared-imports': [
    [
      {
        files: {
          'dist/index.js': "import 'hub/deep'\nimport '@scope/axle/deep'\nimport 'node:fs'\nexport const turns = 1\n",
        },
      },
      'hub is imported and not declared',
    ],
    [
      { files: { 'dist/index.js': "export const turns = await import('@scope/axle')\n" } },
      '@scope/axle is imported and not declared',
    ],
  ],
  declarations: [
    [
      {
        files: {
          'dist/index.d.ts': "export type { Hub } from './hub.ts'\n",
          'dist/hub.d.ts': 'export interface Hub {}\n',
        },
      },
      'dist/index.d.ts imports ./hub.ts, which is not a packed module',
    ],
    [
      { files: { 'dist/index.d.ts': "export declare const turns: import('./gone.js').Hub\n" } },
      'dist/index.d.ts imports ./gone.js, which is not a packed module',
    ],
  ],
  'node-protocol': [
    [
      { files: { 'dist/index.js': "import { readFile } from 'fs/promises'\nexport const turns = readFile\n" } },
      'fs/promises is imported without "node:"',
    ],
    [
      {
        manifest: { bin: { wheel: './dist/bin.js' } },
        files: { 'dist/bin.js': "#!/usr/bin/env node\nimport 'path'\n" },
      },
      'path is imported without "node:"',
    ],
  ],
  'source-maps': [
    [
      { files: { 'dist/index.js.map': '{"sources":["../../../core/src/a.ts"],"sourcesContent":[""]}' } },
      'dist/index.js.map points outside of the package: ../../../core/src/a.ts',
    ],
    [
      { files: { 'dist/index.js.map': '{"sources":["../src/a.ts"]}' } },
      'dist/index.js.map lacks the text of ../src/a.ts',
    ],
  ],
  'no-machine-path': [
    [
      { files: { 'dist/index.js': `export const turns = '${repositoryRoot}/packages'\n` } },
      'dist/index.js names the folder that it was built in',
    ],
  ],
  'core-stands-alone': [
    [
      {
        folder: 'core',
        manifest: { dependencies: { hub: '^1.0.0' }, peerDependencies: { '@anthropic-ai/sdk': '^1.0.0' } },
      },
      'core depends on hub',
    ],
    [{ folder: 'core', manifest: { peerDependencies: {} } }, "core's peers are not the SDK alone: "],
    [
      { folder: 'core', manifest: { peerDependencies: { '@anthropic-ai/sdk': '^1.0.0', hub: '^1.0.0' } } },
      "core's peers are not the SDK alone: @anthropic-ai/sdk, hub",
    ],
  ],
  'built-when-published': [
    [
      { scripts: {} },
      '"scripts.prepublishOnly" is not "build-package": a version without its build could be published',
    ],
  ],
}

const cases = Object.entries(violations).flatMap(([rule, changes]) =>
  changes.map(([change, says]) => ({ rule, change, says })),
)

describe('what a tarball holds', () => {
  it('a good package breaks no rule', async () => {
    expect(await checkContents(packedPackage())).toEqual([])
  })

  it.each(cases)('$rule: $says', async ({ rule, change, says }) => {
    const pkg = packedPackage(change)
    expect(await checkContents(pkg)).toContain(`${pkg.folder}: ${rule}: ${says}`)
  })

  it('every rule has a case', () => {
    expect(new Set(Object.keys(violations))).toEqual(new Set(Object.keys(packedRules)))
  })

  it('publint finds a module that is no module', async () => {
    const found = await checkContents(packedPackage({ files: { 'dist/index.js': 'module.exports = { turns: 1 }\n' } }))
    expect(found.filter((problem) => problem.startsWith('wheel: publint: '))).toHaveLength(1)
  })

  it('attw finds declarations that cannot be resolved', async () => {
    const files = { 'dist/index.d.ts': "export * from './gone'\n" }
    const found = await checkContents(packedPackage({ files }))
    expect(found.filter((problem) => problem.startsWith('wheel: attw: InternalResolutionError'))).not.toEqual([])
  })
})
