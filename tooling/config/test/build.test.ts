import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { buildPackage } from '../src/build/build-package.ts'

const entry = (name: string, source: string) => ({
  'millrace-source': source,
  types: `./dist/${name}.d.ts`,
  default: `./dist/${name}.js`,
})

const wheel = {
  'package.json': JSON.stringify({
    exports: {
      '.': entry('index', './src/index.ts'),
      './axle': entry('axle', './src/axle/index.ts'),
      './package.json': './package.json',
    },
    bin: { wheel: './dist/bin.js' },
  }),
  'tsconfig.json': '{ "compilerOptions": { "verbatimModuleSyntax": true } }',
  'src/index.ts': `
    import { type Body } from 'sdk'
    import { join } from 'node:path'
    import { turn } from './turn.ts'
    /** Turns once, as \`import { turn } from './turn.ts'\` does. */
    export function spin(body: Body): import('./hub/spoke.ts').Spoke { return { at: turn(join(String(body), 'a')) } }
    export * from './turn.ts'
  `,
  'src/turn.ts': 'export const turn = (path: string): string => path\n',
  'src/hub/spoke.ts': "export type { Spoke } from './spokes.ts'\n",
  'src/hub/spokes.ts': 'export interface Spoke { at: string }\n',
  'src/axle/index.ts': "import { turn } from '../turn.ts'\nexport const roll = (): string => turn('axle')\n",
  'src/unreached.ts': 'export const unreached: number = 1\n',
  'src/bin.ts': "#!/usr/bin/env node\nimport { spin } from './index.ts'\nconsole.log(spin)\n",
}

/** Writes a package of the test's own. */
function packageOf(files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'build-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return dir
}

/** Builds it, and returns its output by path. */
async function build(files: Record<string, string>): Promise<Record<string, string>> {
  const dir = packageOf(files)
  await buildPackage(dir)
  const built = readdirSync(join(dir, 'dist'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.\w+$/.test(path),
  )
  return Object.fromEntries(built.sort().map((path) => [path, readFileSync(join(dir, 'dist', path), 'utf8')]))
}

it('writes a module, a source map and declarations for each entry, and a module for each bin', async () => {
  const built = await build(wheel)
  expect(Object.keys(built).filter((path) => !/^(index|turn)-/.test(path))).toEqual([
    'axle.d.ts',
    'axle.js',
    'axle.js.map',
    'axle/index.d.ts',
    'bin.js',
    'bin.js.map',
    'hub/spoke.d.ts',
    'hub/spokes.d.ts',
    'index.d.ts',
    'index.js',
    'index.js.map',
    'turn.d.ts',
  ])
  expect(built['bin.js']).toMatch(/^#!\/usr\/bin\/env node\n/)
  expect(built['axle.d.ts']).toBe("export * from './axle/index.js'\n")
})

it('publishes no specifier of a source file, and leaves comments alone', async () => {
  const built = await build(wheel)
  expect(built['index.d.ts']).toContain("import('./hub/spoke.js').Spoke")
  expect(built['index.d.ts']).toContain("export * from './turn.js'")
  expect(built['hub/spoke.d.ts']).toContain("from './spokes.js'")
  expect(built['index.d.ts']).toContain("as `import { turn } from './turn.ts'` does")
})

it('keeps the imports of other packages as they are written, except those of types alone', async () => {
  const built = await build(wheel)
  const code = Object.keys(built)
    .filter((path) => path.endsWith('.js'))
    .map((path) => built[path])
    .join('\n')
  expect(code).toContain('from "node:path"')
  expect(code).not.toContain('sdk')
  expect(built['index.d.ts']).toMatch(/from ["']sdk["']/)
})

it('empties the output first, and writes to another folder when asked', async () => {
  const dir = packageOf({ ...wheel, 'out/stale.js': '' })
  await buildPackage(dir, join(dir, 'out'))
  expect(existsSync(join(dir, 'out/stale.js'))).toBe(false)
  expect(existsSync(join(dir, 'out/index.js'))).toBe(true)
  expect(existsSync(join(dir, 'dist'))).toBe(false)
})

it.each([
  ['an export without an explicit type', { 'src/turn.ts': 'export const turn = (path: string) => path\n' }, 'turn.ts'],
  ['an import that leads nowhere', { 'src/turn.ts': "export { turn } from './gone.ts'\n" }, 'gone.ts'],
  ['a file that cannot be parsed', { 'src/turn.ts': 'export const =\n' }, 'turn.ts'],
  [
    'a bin outside of dist',
    { 'package.json': JSON.stringify({ exports: {}, bin: { wheel: './bin.js' } }) },
    'bin "wheel" must be a file in "./dist", not "./bin.js"',
  ],
  [
    'an entry published under another name',
    { 'package.json': JSON.stringify({ exports: { './axle': entry('index', './src/index.ts') } }) },
    '"./axle" must be published as {"types":"./dist/axle.d.ts","default":"./dist/axle.js"}',
  ],
  [
    'an entry without its source',
    { 'package.json': JSON.stringify({ exports: { '.': { types: 'a', default: 'b' } } }) },
    'cannot build from',
  ],
])('refuses %s', async (_, files, says) => {
  await expect(buildPackage(packageOf({ ...wheel, ...files }))).rejects.toThrow(says)
})
