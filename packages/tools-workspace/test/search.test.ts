import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { readGlob } from '../src/glob.ts'
import { workspaceTools } from '../src/index.ts'
import { literalPattern } from '../src/match-lines.ts'
import { call, contextOf, find } from './call-tool.ts'
import { testFolder } from './folder.ts'

const folder = testFolder()
afterAll(() => folder.remove())
folder.write('src/main.ts', 'export const a = 1\r\nexport const b = 2\r\n')
folder.write('src/style.css', 'a { color: red }\n')
folder.write('src/deep/main.ts', 'const a = 1')
folder.write('node_modules/m/main.ts', 'const a = 1')
folder.write('binary', 'const a = 1\0')
const search = find(workspaceTools({ folder: folder.workspace, maxMatches: 5 }), 'search')

test('finds lines in order, with their places', async () => {
  const { text } = await call(search, { pattern: 'const \\w = \\d$' })
  expect(text?.split('\n')).toEqual([
    'src/deep/main.ts:1: const a = 1',
    'src/main.ts:1: export const a = 1',
    'src/main.ts:2: export const b = 2',
    expect.stringContaining('[1 skipped: binary'),
  ])
})

test.each([
  [
    { pattern: 'const', path: 'src/main.ts' },
    ['src/main.ts:1: export const a = 1', 'src/main.ts:2: export const b = 2'],
  ],
  [{ pattern: 'CONST', path: 'src/deep', ignore_case: true }, ['src/deep/main.ts:1: const a = 1']],
  [{ pattern: 'a', glob: '*.css' }, ['src/style.css:1: a { color: red }']],
  [{ pattern: 'a {', literal: true }, ['src/style.css:1: a { color: red }', expect.stringContaining('skipped')]],
  [{ pattern: 'nothing like it', path: 'src' }, ['No matches in 3 files.']],
])('searches for %j', async (input, lines) => {
  expect((await call(search, input)).text?.split('\n')).toEqual(lines)
})

test('cuts many matches, and says so', async () => {
  folder.write('many', 'line\n'.repeat(100))
  const { text } = await call(search, { pattern: 'line', path: 'many' })
  expect(text?.split('\n')).toHaveLength(6)
  expect(text).toContain('only the first 5 matches')
})

test.each([
  [{ pattern: '(' }, 'not a valid JavaScript regular expression'],
  [{ pattern: '' }, 'too short'],
  [{ pattern: 'a', path: 'missing' }, 'does not exist'],
  [{ pattern: 'a', glob: '{a,b}'.repeat(10) }, 'too many alternatives'],
])('refuses %j, and says why', async (input, reason) => {
  expect((await call(search, input)).error).toContain(reason)
})

test('stops a pattern that would block the process', async () => {
  folder.write('slow', `${'a'.repeat(60)}!`)
  expect((await call(search, { pattern: '^(a+)+$', path: 'slow' })).error).toContain('takes too long')
})

test('ends on abort', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const context = contextOf({ signal: controller.signal, progress: () => controller.abort(reason) })
  await expect(call(search, { pattern: 'a' }, context)).rejects.toBe(reason)
})

test('reports growing progress in a large folder', async () => {
  const root = fileURLToPath(new URL('../../../node_modules/typescript', import.meta.url))
  const context = contextOf()
  const { text } = await call(
    find(workspaceTools({ folder: root, ignore: [] }), 'search'),
    { pattern: 'export', literal: true },
    context,
  )
  expect(text).toContain('only the first 200 matches')
  const seen = context.seen.map(({ progress = -1 }) => progress)
  expect(seen.length).toBeGreaterThan(3)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

test('matches a literal only by itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => {
      expect(new RegExp(`^${literalPattern(text)}$`, 'u').test(text)).toBe(true)
      expect(new RegExp(`^${literalPattern(text)}$`, 'u').test(`${text}x`)).toBe(false)
    }),
  )
})

test.each([
  ['*.ts', 'src/deep/main.ts', true],
  ['*.ts', 'main.tsx', false],
  ['src/*.ts', 'src/main.ts', true],
  ['src/*.ts', 'src/deep/main.ts', false],
  ['src/**/*.ts', 'src/main.ts', true],
  ['src/**/*.ts', 'src/a/b/main.ts', true],
  ['**/main.ts', 'main.ts', true],
  ['src/**', 'src/a/b', true],
  ['?ain.{ts,js}', 'main.js', true],
  ['?ain.{ts,js}', 'main.css', false],
  ['a+b(1).ts', 'a+b(1).ts', true],
  ['*.{ts,{js,jsx}}', 'a.jsx', true],
  ['{', '{', true],
])('matches the glob %j against %j: %j', (glob, path, expected) => {
  expect(readGlob(glob)(path)).toBe(expected)
})

test('matches the slowest globs in linear time', () => {
  const path = 'a'.repeat(4000)
  expect(readGlob(`${'*a'.repeat(100)}*b`)(path)).toBe(false)
  expect(readGlob(`${'**a'.repeat(100)}/b`)(path)).toBe(false)
})
