import { repositoryRoot } from '@millrace/config/workspace'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkDocs, fixDocs } from '../src/check.ts'
import { runExample } from '../src/examples.ts'

const fence = '```'
const block = (info: string, text: string) => `${fence}${info}\n${text}\n${fence}\n`

const part = "import { turns } from '@millrace/core'\nconsole.log(join('a', `${turns + yours.turns}`))"

const table = `<!-- packages: written by "pnpm run docs --fix" -->

| package | what it is |
|---|---|
| [\`@millrace/core\`](packages/core) | The loop. |
| [\`@millrace/wire\`](packages/wire) | The wire. |

<!-- /packages -->
`

const good: Record<string, string> = {
  'package.json': '{ "name": "root", "scripts": { "demo": "true", "docs": "true" } }',
  'README.md': `# Millrace\n\n${table}`,
  'packages/wire/package.json': '{ "name": "@millrace/wire", "description": "The wire." }',
  'packages/core/package.json': JSON.stringify({
    name: '@millrace/core',
    description: 'The loop.',
    type: 'module',
    exports: { '.': { 'millrace-source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' } },
  }),
  'packages/core/src/index.ts': 'export const turns: number = 1\n',
  'packages/core/examples/start.ts': `import { turns } from '@millrace/core'

// #region start
if (turns > 0) {
  // #region inner
  console.log(turns)
  // #endregion inner
}
// #endregion start
`,
  'packages/core/examples/part.ts': `import { join } from 'node:path'
const yours = { turns: 1 }

// #region part
${part}
// #endregion part
`,
}

/** Writes a repository of two packages, with `files` over it, into a folder that is gone when the test ends. */
function repository(files: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'docs-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries({ ...good, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(join(repositoryRoot, 'node_modules/@types'), join(root, 'node_modules/@types'))
  copyFileSync(join(repositoryRoot, 'tsconfig.base.json'), join(root, 'tsconfig.base.json'))
  return root
}

const problemsOf = async (files: Record<string, string>) => (await checkDocs(repository(files))).problems

describe('what is right passes', () => {
  it('an untouched repository, whose example is run', async () => {
    const files = { 'packages/core/examples/run.ts': "// run\nimport { turns } from '@millrace/core'\nvoid turns\n" }
    expect(await checkDocs(repository(files))).toEqual({ pages: 1, blocks: 0, examples: 1, problems: [] })
  })

  const start = 'if (turns > 0) {\n  console.log(turns)\n}'
  it.each<[string, string]>([
    ['TypeScript by itself', block('ts', "import { turns } from '@millrace/core'\n\nexport const a: number = turns")],
    ['two blocks with the same names', block('ts', 'const a = 1\nvoid a') + block('ts', "const a = 'b'\nvoid a")],
    ['Node in TypeScript', block('ts', "import { readFileSync } from 'node:fs'\nvoid readFileSync")],
    ['a region of a file', block('ts file=packages/core/examples/start.ts#start', start)],
    ['a region in a region', block('ts file=packages/core/examples/start.ts#inner', 'console.log(turns)')],
    ['JSON', block('json', '{ "a": [1] }')],
    ['JSON with comments', block('jsonc', '{ "a": 1, // why\n}')],
    ['YAML', block('yaml', 'a:\n  - b')],
    ['JavaScript', block('js', 'export const a = await import("b")')],
    [
      'a shell',
      block('sh', 'npx -y pnpm@12 demo\npnpm install && pnpm demo\npnpm run docs\nnpm install @millrace/core'),
    ],
    ['text', block('text', 'demo ok')],
    [
      'links',
      '[a](packages/core) [b](#links) [c](packages/core/README.md#why-this) [d](https://example.com/x)\n\n## Links',
    ],
    ['an anchor in HTML', '<a id="here"></a>\n\n[a](#here)'],
  ])('%s', async (_, text) => {
    const files = {
      'README.md': `# Millrace\n\n${text}\n${table}`,
      'packages/core/README.md': '# core\n\n## Why `this`?\n',
    }
    expect(await problemsOf(files)).toEqual([])
  })

  it('a page of a package that imports it', async () => {
    const text = block('ts', "import { turns } from '@millrace/core'\nvoid turns.toFixed()")
    expect(await problemsOf({ 'packages/core/README.md': text })).toEqual([])
  })
})

describe('what is wrong is found, with its place', () => {
  it.each<[string, string, string]>([
    [
      'a type error',
      block('ts', 'const a = 1\nconst b: string = a\nvoid b'),
      "docs/a.md:3: Type 'number' is not assignable",
    ],
    ['a syntax error', block('ts', 'const = 1'), 'docs/a.md:2: '],
    [
      'an export that does not exist',
      block('ts', "import { gone } from '@millrace/core'\nvoid gone"),
      "docs/a.md:2: Module '\"@millrace/core\"' has no exported member 'gone'",
    ],
    ['a module that does not exist', block('ts', "import 'gone'"), 'docs/a.md:2: Cannot find module'],
    [
      'code that is hidden from the reader',
      `<!-- preamble\ndeclare const a: number\n-->\n${block('ts', 'a.toFixed()')}`,
      "docs/a.md:5: Cannot find name 'a'",
    ],
    [
      'a region that shows a part of its imports',
      block('ts file=packages/core/examples/part.ts#part', part),
      'docs/a.md:1: does not show where it imports join from: move the region in packages/core/examples/part.ts',
    ],
    [
      'a block that differs from its file',
      block('ts file=packages/core/examples/start.ts#inner', 'console.log(0)'),
      'docs/a.md:1: differs from packages/core/examples/start.ts#inner',
    ],
    [
      'a region that does not exist',
      block('ts file=packages/core/examples/start.ts#gone', 'a'),
      'docs/a.md:1: packages/core/examples/start.ts has no "// #region gone"',
    ],
    [
      'a file that does not exist',
      block('ts file=packages/core/gone.ts', 'a'),
      'docs/a.md:1: packages/core/gone.ts does not exist',
    ],
    ['JSON that cannot be read', block('json', '{ a: 1 }'), "docs/a.md:1: Expected property name or '}'"],
    ['JSON with comments that cannot be read', block('jsonc', '{ "a": }'), 'docs/a.md:1: '],
    ['YAML that cannot be read', block('yaml', 'a: [b'), 'docs/a.md:1: '],
    ['JavaScript that cannot be read', block('js', 'const = 1'), 'docs/a.md:1: '],
    ['a shell command that cannot be read', block('sh', "echo 'a"), 'docs/a.md:1: '],
    ['a script that pnpm hides', block('sh', 'pnpm docs'), 'docs/a.md:1: pnpm has a command "docs" of its own'],
    [
      'a script that does not exist',
      block('sh', 'npx -y pnpm@12 gone'),
      'docs/a.md:1: "pnpm gone" is neither a script',
    ],
    ['a block without a language', block('', 'a'), 'docs/a.md:1: unknown language ""; expected one of'],
    ['a block of an unknown language', block('tss', 'a'), 'docs/a.md:1: unknown language "tss"; expected one of'],
    ['a block in a list', `- a\n\n  ${fence}json\n  {\n  ${fence}\n`, 'docs/a.md:3: '],
    ['a link to nothing', 'see\n[a](gone.md)', 'docs/a.md:2: gone.md leads nowhere'],
    ['a picture of nothing', '![a](gone.png)', 'docs/a.md:1: gone.png leads nowhere'],
    ['a link defined elsewhere', '[a][b]\n\n[b]: gone.md', 'docs/a.md:3: gone.md leads nowhere'],
    ['an anchor of this page', '[a](#gone)', 'docs/a.md:1: docs/a.md has no heading "#gone"'],
    ['an anchor of another page', '[a](../README.md#gone)', 'docs/a.md:1: README.md has no heading "#gone"'],
    ['a link out of the repository', '[a](../../a.md)', 'docs/a.md:1: ../../a.md leads out of the repository'],
  ])('%s', async (_, text, says) => {
    const problems = await problemsOf({ 'docs/a.md': text })
    expect(problems.map((problem) => problem.slice(0, says.length))).toContain(says)
  })

  it('a type error in a file that a block shows', async () => {
    const files = {
      'packages/core/examples/wrong.ts': '// #region a\nexport const a: string = 1\n// #endregion a\n',
      'docs/a.md': block('ts file=packages/core/examples/wrong.ts#a', 'export const a: string = 1'),
    }
    expect(await problemsOf(files)).toEqual([
      "docs/a.md:1: packages/core/examples/wrong.ts#a, line 2: Type 'number' is not assignable to type 'string'.",
    ])
  })

  it.each([
    ['an example that fails', "// run\nthrow new Error('broken example')\n", 'broken example'],
    ['an example that cannot be loaded', "// run\nimport 'gone'\n", "Cannot find package 'gone'"],
  ])('%s', async (_, code, says) => {
    const problems = await problemsOf({ 'packages/core/examples/wrong.ts': code })
    expect(problems).toEqual([expect.stringContaining(`packages/core/examples/wrong.ts: `)])
    expect(problems[0]).toContain(says)
  })

  it('an example that does not end', async () => {
    const root = repository({ 'packages/core/examples/wrong.ts': '// run\nsetInterval(() => {}, 1e6)\n' })
    expect(await runExample(root, 'packages/core/examples/wrong.ts', 1000)).toEqual(['does not end by itself'])
  })

  it('a table of packages that is out of date, or missing', async () => {
    expect(await problemsOf({ 'README.md': `# Millrace\n\n${table.replace('The loop.', 'A loop.')}` })).toEqual([
      'README.md: the table of packages is out of date: "pnpm run docs --fix" writes it',
    ])
    expect(await problemsOf({ 'README.md': '# Millrace\n' })).toEqual([expect.stringContaining('README.md lacks')])
  })
})

describe('--fix', () => {
  it('copies what blocks show from the files, also in lists, and writes the table', async () => {
    const stale = `# Millrace

- in a list

  ${fence}ts file=packages/core/examples/start.ts#start
  stale
  ${fence}

${block('ts file=packages/core/examples/start.ts#inner', 'stale\nstale')}
${table.replace('The loop.', 'A loop.')}`
    const root = repository({ 'README.md': stale })
    expect(fixDocs(root)).toEqual(['README.md'])
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toBe(`# Millrace

- in a list

  ${fence}ts file=packages/core/examples/start.ts#start
  if (turns > 0) {
    console.log(turns)
  }
  ${fence}

${block('ts file=packages/core/examples/start.ts#inner', 'console.log(turns)')}
${table}`)
    expect((await checkDocs(root)).problems).toEqual([])
    expect(fixDocs(root)).toEqual([])
  })
})
