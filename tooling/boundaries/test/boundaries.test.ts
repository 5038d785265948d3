import { expect, describe, it } from 'vitest'
import { checkBoundaries } from '../src/check.ts'
import { readLayers } from '../src/layers.ts'
import { boundaryRules } from '../src/rules.ts'
import { installed, writeTree, type Tree } from './fixture-tree.ts'

/** A neutral entry of `testing`, beside its root, which is for Node. */
const testingStream: Tree = {
  'packages/testing/package.json': JSON.stringify({
    name: 'testing',
    type: 'module',
    exports: {
      '.': { 'millrace-source': './src/index.ts' },
      './stream': { 'millrace-source': './src/stream.ts' },
    },
  }),
  'packages/testing/src/stream.ts': 'export const name = 1',
}

/** For each rule, the trees that break it and nothing else. */
const violations: Record<string, Tree[]> = {
  'layer-0-imports-lower-only': [
    { 'packages/core/src/a.ts': "export { name } from '@millrace/wire'" },
    { 'packages/core/src/a.ts': "import type { Name } from '@millrace/client'\nexport type Alias = Name" },
    { 'packages/core/test/a.test.ts': "await import('@millrace/server')" },
  ],
  'layer-1-imports-lower-only': [{ 'packages/wire/src/a.ts': "import '@millrace/client'" }],
  'layer-2-imports-lower-only': [{ 'packages/server/src/a.ts': "import '@millrace/hono'" }],
  'layer-3-imports-lower-only': [{ 'packages/node/src/a.ts': "import '@millrace/express'" }],
  'layer-1-no-sibling': [{ 'packages/wire/src/a.ts': "import '@millrace/flags'" }],
  'layer-2-no-sibling': [
    { 'packages/client/src/a.ts': "import '@millrace/server'" },
    { 'packages/client/test/a.test.ts': "import '@millrace/server'" },
  ],
  'layer-3-no-sibling': [{ 'packages/node/src/a.ts': "import '@millrace/hono'" }],
  'rooms-import-down': [
    { 'packages/core/src/kit/a.ts': "import '../protocol/b.ts'", 'packages/core/src/protocol/b.ts': 'export {}' },
    {
      'packages/core/src/loop/a.ts': "import type { B } from '../adapt/deep/b.ts'\nexport type A = B",
      'packages/core/src/adapt/deep/b.ts': 'export type B = string',
    },
    { 'packages/core/src/tools/a.ts': "import '../agent.ts'", 'packages/core/src/agent.ts': 'export {}' },
  ],
  'neutral-no-node-builtins': [
    { 'packages/core/src/a.ts': "import { readFileSync } from 'node:fs'\nreadFileSync('a')" },
    { 'packages/core/src/a.ts': "import { EventEmitter } from 'events'\nnew EventEmitter()" },
    { 'packages/hono/src/deep/a.ts': "await import('node:stream')" },
    {
      'packages/server/src/a.ts':
        "import type { IncomingMessage } from 'node:http'\nexport type Alias = IncomingMessage",
    },
    { 'packages/tool-progress/src/node-like.ts': "import 'node:child_process'" },
  ],
  'neutral-no-node-entry': [
    {
      'packages/tool-progress/src/node.ts': "import 'node:fs'",
      'packages/tool-progress/src/a.ts': "import './node.ts'",
    },
    { 'packages/parity/src/a.ts': "import '@millrace/testing'" },
  ],
  'neutral-no-node-package': [{ 'packages/hono/src/a.ts': "import '@millrace/tools-workspace'" }],
  'testing-stands-alone': [
    { 'packages/testing/src/a.ts': "import '@millrace/core'" },
    { 'packages/testing/src/a.ts': "import type { Name } from '@millrace/core'\nexport type Alias = Name" },
  ],
  'testing-only-in-tests': [
    { ...testingStream, 'packages/core/src/a.ts': "import '@millrace/testing/stream'" },
    { 'packages/express/src/a.ts': "import '@millrace/testing'" },
  ],
  'no-deep-import': [
    { 'packages/wire/src/a.ts': "import '../../core/src/index.ts'" },
    { 'packages/wire/test/a.test.ts': "import '../../core/src/index.ts'" },
    { 'apps/cli/src/a.ts': "import '../../../packages/core/src/index.ts'" },
  ],
  'no-app-import': [{ 'packages/express/src/a.ts': "import 'cli'" }, { 'tooling/config/src/a.ts': "import 'cli'" }],
  'apps-stand-alone': [{ 'apps/cli/src/a.ts': "import 'web'" }],
  'no-tooling-in-source': [{ 'packages/core/src/a.ts': "import 'config'" }, { 'apps/cli/src/a.ts': "import 'config'" }],
  'no-circular': [
    { 'packages/core/src/a.ts': "import './b.ts'", 'packages/core/src/b.ts': "import './a.ts'" },
    {
      'packages/core/src/a.ts': "import type { B } from './b.ts'\nexport type A = B[]",
      'packages/core/src/b.ts': "import type { A } from './a.ts'\nexport type B = A[]",
    },
  ],
  'no-unresolvable': [
    { 'packages/core/src/a.ts': "import './gone.ts'" },
    { 'packages/wire/src/a.ts': "import '@millrace/core/src/index.ts'" },
  ],
  'no-undeclared-dependency': [
    { ...installed('packages/core', 'library'), 'packages/core/src/a.ts': "import 'library'" },
    { ...installed('apps/cli', 'library'), 'apps/cli/src/a.ts': "import 'library'" },
  ],
  'no-dev-dependency-in-source': [
    { ...installed('packages/core', 'library', 'devDependencies'), 'packages/core/src/a.ts': "import 'library'" },
    {
      ...installed('packages/core', 'library', 'devDependencies'),
      'packages/core/src/a.ts': "import type { Value } from 'library'\nexport type Alias = Value",
    },
  ],
  'source-is-self-contained': [
    { 'packages/core/src/a.ts': "import '../test/double.ts'", 'packages/core/test/double.ts': 'export {}' },
    { 'apps/cli/src/a.ts': "import '../vitest.config.ts'", 'apps/cli/vitest.config.ts': 'export {}' },
  ],
}

const cases = Object.entries(violations).flatMap(([rule, trees]) => trees.map((tree, index) => ({ rule, index, tree })))

describe('each rule catches its violation', () => {
  it.each(cases)('$rule, case $index', async ({ rule, tree }) => {
    const report = await checkBoundaries(writeTree(tree))
    expect([...new Set(report.violations.map((violation) => violation.rule))]).toEqual([rule])
  })

  it('and every configured rule has a case', () => {
    const configured = boundaryRules(readLayers()).map(({ name }) => name)
    expect(new Set(Object.keys(violations))).toEqual(new Set(configured))
  })

  it('placed: a package that the table of layers does not know', async () => {
    const report = await checkBoundaries(writeTree({ 'packages/stray/package.json': '{ "name": "stray" }' }))
    expect(report.violations).toEqual([
      { rule: 'placed', message: 'packages/stray has no layer: add "stray" to tooling/boundaries/layers.json' },
    ])
  })
})

describe('what the design allows is allowed', () => {
  const allowed: Record<string, Tree> = {
    'an untouched tree': {},
    'any lower layer': { 'packages/express/src/a.ts': "import '@millrace/node'\nimport '@millrace/core'" },
    'the scripted server in tests and examples': {
      'packages/core/test/a.test.ts': "import '@millrace/testing'",
      'packages/core/examples/a.ts': "import '@millrace/testing'\nimport '@millrace/core'",
      'packages/wire/test/a.test.ts': "import '@millrace/testing'",
    },
    'the neutral means of tests in the package that compares loops': {
      ...testingStream,
      'packages/parity/src/a.ts': "import '@millrace/testing/stream'",
    },
    'the scripted server in an app': { 'apps/cli/src/a.ts': "import '@millrace/testing'" },
    'Node built-ins in packages for Node': {
      'packages/node/src/a.ts': "import 'node:http'",
      'packages/testing/src/server/a.ts': "import 'node:http'",
      'packages/tools-workspace/src/a.ts': "import 'node:fs'",
    },
    'Node built-ins behind a Node entry': {
      'packages/tool-progress/src/node.ts': "import './node/subprocess.ts'",
      'packages/tool-progress/src/node/subprocess.ts': "import 'node:child_process'",
    },
    'Node built-ins in the tests of a neutral package': { 'packages/core/test/a.test.ts': "import 'node:http'" },
    'the shared test configuration': { 'packages/core/vitest.config.ts': "import 'config'" },
    'a peer that is a devDependency too': {
      ...installed('packages/core', 'library'),
      'packages/core/package.json': JSON.stringify({
        name: 'core',
        type: 'module',
        devDependencies: { library: '1' },
        peerDependencies: { library: '1' },
      }),
      'packages/core/src/a.ts': "import 'library'",
    },
  }

  it.each(Object.entries(allowed))('%s', async (_, tree) => {
    expect((await checkBoundaries(writeTree(tree))).violations).toEqual([])
  })
})
