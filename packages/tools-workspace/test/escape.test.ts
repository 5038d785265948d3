import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { workspaceTools } from '../src/index.ts'
import { call, find } from './call-tool.ts'
import { secret, testFolder } from './folder.ts'

const folder = testFolder()
afterAll(() => folder.remove())

const separate = workspaceTools({ folder: folder.workspace })
const claude = workspaceTools({ folder: folder.workspace, editor: 'claude' })

type Attempt = (path: string) => Promise<{ readonly text?: string | undefined; readonly error?: string | undefined }>
const editor = (command: string, more: object) => (path: string) =>
  call(find(claude, 'str_replace_based_edit_tool'), { command, path, ...more })
const tool = (name: string, more: object) => (path: string) => call(find(separate, name), { path, ...more })

const attempts: readonly Attempt[] = [
  tool('view', {}),
  tool('edit', { old_str: 'e', new_str: 'E', replace_all: true }),
  tool('create', { file_text: 'written' }),
  tool('create', { file_text: 'written', overwrite: true }),
  tool('search', { pattern: '.' }),
  editor('view', {}),
  editor('str_replace', { old_str: secret, new_str: 'changed' }),
  editor('create', { file_text: 'written' }),
  editor('insert', { insert_line: 0, insert_text: 'inserted' }),
]

const outward = [
  '..',
  '../outside/secret.txt',
  '../work-but-not/secret.txt',
  'folder/../../outside/secret.txt',
  './../outside',
  '/etc/passwd',
  '/',
  '//etc/passwd',
  `${folder.outside}/secret.txt`,
  `${folder.workspace}/../outside/secret.txt`,
  `${folder.workspace}-but-not/secret.txt`,
  'out',
  'out/secret.txt',
  'out/deep/fresh.txt',
  'out/../../outside/secret.txt',
  'out-file',
  'out-missing',
  'out-missing/fresh.txt',
  'folder/up-up/outside/secret.txt',
  'in/up-up/outside/secret.txt',
  'loop',
  'loop/a',
  '',
  'a\0b',
  '../outside\0/a.txt',
  'a.txt/b',
  'x'.repeat(5000),
]

test.each(outward)('every tool refuses %j, and nothing outside changes', async (path) => {
  const before = folder.snapshot()
  for (const attempt of attempts) {
    const { error, text } = await attempt(path)
    expect([text, error]).toEqual([undefined, expect.any(String)])
    // Neither the machine's own paths nor anything that is outside.
    expect(error).not.toContain(secret)
    expect(path.startsWith('/') ? '' : error).not.toContain(folder.workspace)
  }
  expect(folder.snapshot()).toBe(before)
})

const part = fc.constantFrom(
  '..',
  '.',
  '',
  'a.txt',
  'folder',
  'b.txt',
  'out',
  'out-file',
  'out-missing',
  'in',
  'in-file',
  'loop',
  'up',
  'up-up',
  'outside',
  'secret.txt',
  'work',
  'work-but-not',
  'fresh',
  '~',
  '%2e%2e',
  '..\\',
  '... ',
  ' ..',
  '\u2025',
  '．．',
  'hard',
  'deep',
  '\0',
)
const prefix = fc.constantFrom(
  '',
  './',
  '/',
  '//',
  `${folder.workspace}/`,
  `${folder.outside}/`,
  'file://',
  '\\\\host\\',
)
const paths = fc.tuple(prefix, fc.array(part, { maxLength: 7 })).map(([start, parts]) => start + parts.join('/'))

test('shows and changes nothing outside, whatever the path', async () => {
  await fc.assert(
    fc.asyncProperty(paths, fc.constantFrom(...attempts), async (path, attempt) => {
      const before = folder.snapshot()
      const { text = '' } = await attempt(path)
      // The hard link is inside; what it shows was put there by whoever made it.
      const shown = path.includes('hard') ? '' : text.replaceAll(/^hard:.*$/gm, '')
      expect(shown).not.toContain(secret)
      expect(folder.snapshot()).toBe(before)
    }),
    { numRuns: 1500 },
  )
})

test('follows links that stay inside, and keeps them', async () => {
  const fresh = testFolder()
  try {
    const tools = workspaceTools({ folder: fresh.workspace })
    expect(await call(find(tools, 'view'), { path: 'in/b.txt' })).toEqual({ text: '     1\talpha\n     2\tbeta' })
    expect((await call(find(tools, 'edit'), { path: 'in-file', old_str: 'two', new_str: 'TWO' })).error).toBeUndefined()
    expect(fresh.read('a.txt')).toBe('one\nTWO\nthree\n')
    expect((await call(find(tools, 'view'), { path: 'folder/up/a.txt' })).text).toContain('TWO')
    expect((await call(find(tools, 'view'), { path: `${fresh.workspace}/a.txt` })).text).toContain('TWO')
  } finally {
    fresh.remove()
  }
})

test('edits a hard link to the outside only inside', async () => {
  const fresh = testFolder()
  try {
    const tools = workspaceTools({ folder: fresh.workspace })
    const before = fresh.snapshot()
    expect(
      (await call(find(tools, 'edit'), { path: 'hard', old_str: 'secret', new_str: 'changed' })).error,
    ).toBeUndefined()
    expect(fresh.read('hard')).toContain('changed')
    expect(fresh.snapshot()).toBe(before)
  } finally {
    fresh.remove()
  }
})

test('does not follow links in a search', async () => {
  const { text } = await call(find(separate, 'search'), { pattern: 'secret of the outside' })
  expect(text?.split('\n')[0]).toMatch(/^hard:|^No matches/)
  expect(text).not.toMatch(/^out|^in|up/m)
})
