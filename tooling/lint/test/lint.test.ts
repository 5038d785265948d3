import { readLayers } from '@millrace/boundaries/layers'
import { repositoryRoot } from '@millrace/config/workspace'
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'

const ruleSchema = z.union([z.string(), z.tuple([z.string()]).rest(z.unknown())])
const configSchema = z.object({
  rules: z.record(z.string(), ruleSchema),
  overrides: z.array(
    z.object({
      files: z.array(z.string()),
      excludeFiles: z.array(z.string()).optional(),
      rules: z.record(z.string(), ruleSchema),
    }),
  ),
})
const config = configSchema.parse(JSON.parse(readFileSync(join(repositoryRoot, '.oxlintrc.json'), 'utf8')))

const outputSchema = z.object({ diagnostics: z.array(z.object({ code: z.string() })) })

/** Lints one file in a tree that has the real configuration, and gives the rules it breaks: `typescript/no-any`. */
async function lint(path: string, text: string): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'lint-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  copyFileSync(join(repositoryRoot, '.oxlintrc.json'), join(root, '.oxlintrc.json'))
  writeFileSync(
    join(root, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { strict: true, types: [], lib: ['ES2023'], module: 'ESNext', noEmit: true } }),
  )
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), `${text}\n`)
  const args = ['--type-aware', '--format', 'json', '--report-unused-disable-directives']
  // A non-zero exit code is an answer here: the findings are on standard output either way.
  const { stdout } = await promisify(execFile)('oxlint', args, { cwd: root }).catch((error: unknown) =>
    z.object({ stdout: z.string() }).parse(error),
  )
  const found = outputSchema.parse(JSON.parse(stdout)).diagnostics.map(({ code }) => code)
  return [...new Set(found.map((code) => code.replace(/^eslint\((.*)\)$/, '$1').replace(/^(.*)\((.*)\)$/, '$1/$2')))]
}

const source = 'packages/core/src/a.ts'
const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')
const constants = (count: number) => lines(count, (index) => `export const a${index} = 1`)

/** For each rule that the configuration names: a file that breaks it and nothing else. */
const violations: Record<string, [path: string, text: string][]> = {
  eqeqeq: [[source, 'export const a = (b: string): boolean => b == "c"']],
  'no-var': [[source, 'export var a = 1']],
  'prefer-const': [[source, 'let a = 1\nexport const b = a']],
  'no-warning-comments': [
    [source, '// TODO: finish\nexport const a = 1'],
    ['apps/cli/test/a.test.ts', '/* later: FIXME */\nexport const a = 1'],
  ],
  'unicorn/filename-case': [
    ['packages/core/src/eventStream.ts', 'export const a = 1'],
    ['packages/core/test/Event.test.ts', 'export const a = 1'],
  ],
  'unicorn/prefer-node-protocol': [[source, "export { readFileSync } from 'fs'"]],
  'vitest/expect-expect': [
    ['packages/core/test/a.test.ts', "import { it } from 'vitest'\nit('a', () => Promise.resolve())"],
  ],
  'vitest/no-disabled-tests': [
    ['packages/core/test/a.test.ts', "import { expect, it } from 'vitest'\nit.skip('a', () => expect(1).toBe(1))"],
    [
      'packages/core/test/a.test.ts',
      "import { describe, expect, it } from 'vitest'\ndescribe.skip('a', () => {\n  it('b', () => expect(1).toBe(1))\n})",
    ],
  ],
  'vitest/valid-expect': [
    [
      'packages/core/test/a.test.ts',
      "import { expect, it } from 'vitest'\nit('a', () => {\n  expect(1)\n  expect(2).toBe(2)\n})",
    ],
  ],
  'vitest/no-focused-tests': [
    ['packages/core/test/a.test.ts', "import { expect, it } from 'vitest'\nit.only('a', () => expect(1).toBe(1))"],
  ],
  'typescript/ban-ts-comment': [
    [source, '// @ts-ignore\nexport const a = 1'],
    [source, '// @ts-expect-error\nexport const a = 1'],
  ],
  'typescript/consistent-type-assertions': [
    [source, 'export const a = (b: unknown): string => b as string'],
    [source, 'export const a = (b: unknown): string => <string>b'],
    ['packages/core/test/a.test.ts', 'export const a = (b: unknown): string => b as string'],
  ],
  'typescript/consistent-type-imports': [[source, "import { A } from './b.ts'\nexport type B = A"]],
  'typescript/no-explicit-any': [
    [source, 'export const a = (b: any): string => String(b)'],
    ['tooling/config/src/a.ts', 'export type A = any[]'],
  ],
  'typescript/no-floating-promises': [[source, 'export const a = (): void => {\n  Promise.resolve(1)\n}']],
  'typescript/no-misused-promises': [
    [source, 'export const a = (b: Promise<boolean>): number => {\n  if (b) return 1\n  return 2\n}'],
    [source, 'export const a = (b: number[]): void => b.forEach(async () => Promise.resolve())'],
  ],
  'typescript/no-non-null-assertion': [[source, 'export const a = (b?: string): string => b!']],
  'typescript/only-throw-error': [[source, "export const a = (): never => {\n  throw 'text'\n}"]],
  'typescript/switch-exhaustiveness-check': [
    [
      source,
      "export function a(b: 'c' | 'd'): number {\n  let e = 1\n  switch (b) {\n    case 'c':\n      e = 2\n  }\n  return e\n}",
    ],
  ],
  'max-lines': [
    [source, constants(251)],
    ['packages/core/test/a.test.ts', constants(501)],
  ],
  'import/no-default-export': [
    [source, 'export default 1'],
    ['tooling/config/src/a.ts', 'export default 1'],
  ],
  'max-lines-per-function': [[source, `export function a(): void {\n${lines(80, () => '  void 0')}\n}`]],
  'no-console': [[source, "console.log('a')\nexport const a = 1"]],
  'no-restricted-properties': [['packages/node/src/a.ts', "process.stdout.write('a')\nexport const a = 1"]],
  'oxc/no-barrel-file': [
    [source, "export * from './b.ts'"],
    [source, "export * from 'zod'"],
  ],
  'no-restricted-globals': [
    [source, 'export const a = (): unknown => process.env'],
    [source, "export const a = (): unknown => Buffer.from('a')"],
    ['packages/tool-progress/src/a.ts', 'export const a = (): unknown => window'],
  ],
}

const cases = Object.entries(violations).flatMap(([rule, files]) => files.map(([path, text]) => ({ rule, path, text })))

describe('each rule catches its violation', () => {
  it.each(cases)('$rule in $path', async ({ rule, path, text }) => {
    expect(await lint(path, text)).toEqual([rule])
  })

  it('and every rule that the configuration names has a case', () => {
    const named = [config, ...config.overrides].flatMap(({ rules }) =>
      Object.entries(rules)
        .filter(([, setting]) => setting !== 'off')
        .map(([rule]) => rule),
    )
    expect(new Set(Object.keys(violations))).toEqual(new Set(named))
  })
})

describe('what the house style allows is allowed', () => {
  it.each([
    ['as const', source, "export const a = ['b'] as const"],
    ['a default for the rest of a union', source, switchWithDefault()],
    ['a described expectation', source, '// @ts-expect-error a newer SDK names this field\nexport const a: string = 1'],
    ['a module imported as a whole', source, "import * as b from './b.ts'\nexport const a = b"],
    ['documentation beside 250 lines', source, `${constants(250)}\n${lines(50, () => '// why')}`],
    ['printing in an app', 'apps/cli/src/a.ts', "console.log('a')\nexport const a = 1"],
    [
      'printing in a bin',
      'packages/parity/src/bin.ts',
      "console.log('a')\nprocess.stdout.write('b')\nexport const a = 1",
    ],
    ['a test of types', 'packages/core/test/a.test.ts', testOf('expectTypeOf(1).toBeNumber()')],
    ['a test whose assertions are elsewhere', 'packages/core/test/a.test.ts', testOf('expectRefusal()')],
    ['a property', 'packages/core/test/a.test.ts', testOf('fc.assert(1)')],
    ['a configuration file', 'packages/core/vitest.config.ts', 'export default { a: 1 }'],
    ['Node in a Node package', 'packages/node/src/a.ts', 'export const a = (): unknown => process.env'],
    ['Node behind a Node entry', 'packages/tool-progress/src/node.ts', 'export const a = (): unknown => process.env'],
    ['a test that needs a program', 'packages/core/test/a.test.ts', testWithCondition()],
  ])('%s', async (_, path, text) => {
    expect(await lint(path, text)).toEqual([])
  })
})

it('knows the neutral packages and their Node entries from the table of layers', () => {
  const layers = Object.entries(readLayers())
  const neutral = layers
    .filter(([, { runtime }]) => runtime === 'neutral')
    .map(([folder]) => `packages/${folder}/src/**`)
  const entries = layers.flatMap(([folder, { nodeEntries = [] }]) =>
    nodeEntries.flatMap((entry) => [`packages/${folder}/src/${entry}.ts`, `packages/${folder}/src/${entry}/**`]),
  )
  const override = config.overrides.find(({ rules }) => rules['no-restricted-globals'] !== undefined)
  expect(override?.files).toEqual(neutral)
  expect(override?.excludeFiles).toEqual(entries)
})

function switchWithDefault(): string {
  return "export function a(b: 'c' | 'd'): number {\n  switch (b) {\n    case 'c':\n      return 1\n    default:\n      return 2\n  }\n}"
}

function testWithCondition(): string {
  return "import { expect, it } from 'vitest'\nit.skipIf(Math.random() > 2)('a', () => expect(1).toBe(1))"
}

function testOf(body: string): string {
  return `import { it } from 'vitest'\nit('a', () => {\n  ${body}\n})`
}
