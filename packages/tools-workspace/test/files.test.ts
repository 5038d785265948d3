import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { workspaceTools, type WorkspaceOptions } from '../src/index.ts'
import { call, type Called, find } from './call-tool.ts'
import { type TestFolder, testFolder } from './folder.ts'

let folder: TestFolder
beforeEach(() => {
  folder = testFolder()
})
afterEach(() => folder.remove())

function use(name: string, input: object, options: Partial<WorkspaceOptions> = {}): Promise<Called> {
  const editor = name === 'str_replace_based_edit_tool' ? 'claude' : 'separate'
  return call(find(workspaceTools({ folder: folder.workspace, editor, ...options }), name), input)
}
const claude = (input: object, options: Partial<WorkspaceOptions> = {}) =>
  use('str_replace_based_edit_tool', input, options)

test('view shows a file with line numbers, or a part of it', async () => {
  expect(await use('view', { path: 'a.txt' })).toEqual({ text: '     1\tone\n     2\ttwo\n     3\tthree' })
  expect(await use('view', { path: 'a.txt', view_range: [2, -1] })).toEqual({ text: '     2\ttwo\n     3\tthree' })
  folder.write('empty', '')
  expect(await use('view', { path: 'empty' })).toEqual({ text: '"empty" is empty.' })
})

test.each([[[0, 1]], [[2, 1]], [[1, 4]], [[4, -1]], [[-1, 2]]])(
  'says which ranges fit instead of %j',
  async (range) => {
    expect((await use('view', { path: 'a.txt', view_range: range })).error).toContain('3 lines')
  },
)

test('view lists a folder, two levels deep, without hidden and ignored entries', async () => {
  for (const path of ['src/deep/deeper/x', 'node_modules/m/x', '.hidden/x', '.env']) folder.write(path, '')
  const { text } = await use('view', { path: '.' })
  expect(text?.split('\n')).toEqual([
    'Folder ., two levels, without hidden files:',
    'a.txt',
    'folder/',
    'folder/b.txt',
    'folder/up',
    'folder/up-up',
    'hard',
    'in',
    'in-file',
    'loop',
    'out',
    'out-file',
    'out-missing',
    'src/',
    'src/deep/',
  ])
  for (let index = 0; index < 1200; index += 1) folder.write(`many/${index}`, '')
  expect((await use('view', { path: 'many' })).text).toContain('[200 more: view one of its folders]')
})

test('view cuts a long file, and says how to see more', async () => {
  folder.write('long', 'x'.repeat(99).concat('\n').repeat(1000))
  const { text = '' } = await use('view', { path: 'long' }, { maxViewCharacters: 1000 })
  expect(text.length).toBeLessThan(1200)
  expect(text).toContain('use view_range to see more of its 1000 lines')
})

test('every tool refuses huge and binary files, folders and missing files, and says why', async () => {
  folder.write('huge', Buffer.alloc(3000, 'x'))
  folder.write('nul', 'text\0text')
  folder.write('latin', Buffer.from([0x66, 0xfc, 0x72]))
  folder.write('cut', Buffer.from('é').subarray(0, 1))
  const reasons: [path: string, reason: string][] = [
    ['huge', 'too large: more than 2000 bytes'],
    ['nul', 'binary file'],
    ['latin', 'binary file'],
    ['cut', 'binary file'],
    ['missing', 'does not exist'],
    ['a.txt/x', 'leads through something that is not a folder'],
  ]
  for (const [path, reason] of reasons) {
    const before = path === 'missing' || path.includes('/') ? '' : folder.read(path)
    const results = [
      await use('view', { path }, { maxFileBytes: 2000 }),
      await use('edit', { path, old_str: 'x', new_str: 'y' }, { maxFileBytes: 2000 }),
      await claude({ command: 'insert', path, insert_line: 0, insert_text: 'y' }, { maxFileBytes: 2000 }),
    ]
    for (const { error } of results) expect(error).toContain(reason)
    expect(path === 'missing' || path.includes('/') ? '' : folder.read(path)).toBe(before)
  }
  expect((await use('edit', { path: 'folder', old_str: 'x', new_str: 'y' })).error).toContain('is a folder')
  expect((await use('create', { path: 'folder', file_text: '' })).error).toContain('already exists')
  expect((await use('create', { path: 'a', file_text: 'x'.repeat(2001) }, { maxFileBytes: 2000 })).error).toContain(
    'larger than 2000 bytes',
  )
  expect(
    (await use('edit', { path: 'a.txt', old_str: 'one', new_str: 'x'.repeat(3000) }, { maxFileBytes: 2000 })).error,
  ).toContain('larger')
})

test('edit replaces exactly one occurrence, literally', async () => {
  const { text } = await use('edit', { path: 'a.txt', old_str: 'two\n', new_str: '$& $1 \\n\n' })
  expect(folder.read('a.txt')).toBe('one\n$& $1 \\n\nthree\n')
  expect(text).toContain('     2\t$& $1 \\n')
})

test('edit without a match, or with several, changes nothing and says what to do', async () => {
  folder.write('b.txt', 'same\nother\nsame\n')
  folder.write('crlf.txt', 'one\r\ntwo\r\n')
  const cases: [input: object, reason: string][] = [
    [{ path: 'b.txt', old_str: 'absent', new_str: 'x' }, 'was not found in "b.txt"'],
    [{ path: 'b.txt', old_str: 'same', new_str: 'x' }, '2 times in "b.txt", in lines 1, 3'],
    [{ path: 'b.txt', old_str: '', new_str: 'x' }, 'old_str is empty'],
    [{ path: 'b.txt', old_str: 'same', new_str: 'same' }, 'nothing to change'],
    [{ path: 'crlf.txt', old_str: 'one\ntwo', new_str: 'x' }, 'CRLF'],
  ]
  for (const [input, reason] of cases) expect((await use('edit', input)).error).toContain(reason)
  expect(folder.read('b.txt')).toBe('same\nother\nsame\n')
  expect((await use('edit', { path: 'b.txt', old_str: 'same', new_str: 'x', replace_all: true })).text).toContain(
    '2 times',
  )
  expect(folder.read('b.txt')).toBe('x\nother\nx\n')
})

test('edit changes any text as it says', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', '$', '&', 'é', '😀', '\ufeff'), maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(text, text, text, async (before, part, replacement) => {
      folder.write('p.txt', before)
      const { error } = await use('edit', { path: 'p.txt', old_str: part, new_str: replacement })
      const first = part === '' ? -1 : before.indexOf(part)
      const allowed = first !== -1 && before.indexOf(part, first + part.length) === -1 && part !== replacement
      expect(error === undefined).toBe(allowed)
      expect(folder.read('p.txt')).toBe(
        allowed ? before.slice(0, first) + replacement + before.slice(first + part.length) : before,
      )
    }),
    { numRuns: 150 },
  )
})

test('insert adds a line after another, and changes no other', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 3 })
  const text = fc.record({
    lines: fc.array(line, { maxLength: 5 }),
    end: fc.constantFrom('\n', '\r\n'),
    closed: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(text, fc.nat(7), fc.constantFrom('new', 'new\n'), async ({ lines, end, closed }, at, added) => {
      const before = lines.join(end) + (closed ? end : '')
      const parse = (all: string): string[] => (all === '' ? [] : all.replace(/\r?\n$/, '').split(/\r?\n/))
      folder.write('p.txt', before)
      const { error } = await claude({ command: 'insert', path: 'p.txt', insert_line: at, insert_text: added })
      const fits = at <= parse(before).length
      expect(error === undefined).toBe(fits)
      expect(parse(folder.read('p.txt'))).toEqual(fits ? parse(before).toSpliced(at, 0, 'new') : parse(before))
    }),
    { numRuns: 150 },
  )
})

test('create writes a file and its folders, and replaces an existing file only with overwrite', async () => {
  expect(await use('create', { path: 'x/y/z.txt', file_text: 'new' })).toEqual({ text: 'Created "x/y/z.txt".' })
  expect(folder.read('x/y/z.txt')).toBe('new')
  expect((await use('create', { path: 'x/y/z.txt', file_text: 'again' })).error).toBe('"x/y/z.txt" already exists.')
  expect(folder.read('x/y/z.txt')).toBe('new')
  expect((await use('create', { path: 'x/y/z.txt', file_text: 'again', overwrite: true })).text).toContain('Overwrote')
  expect((await claude({ command: 'create', path: 'x/y/z.txt', file_text: 'third' })).text).toContain('Overwrote')
  expect(folder.read('x/y/z.txt')).toBe('third')
})

test('keeps the permissions of a file, and leaves nothing beside it', async () => {
  chmodSync(join(folder.workspace, 'a.txt'), 0o755)
  await use('edit', { path: 'a.txt', old_str: 'one', new_str: '1' })
  expect(statSync(join(folder.workspace, 'a.txt')).mode & 0o777).toBe(0o755)
  await use('create', { path: 'a.txt', file_text: '' })
  await use('create', { path: 'folder', file_text: '', overwrite: true })
  expect(readdirSync(folder.workspace).filter((name) => name.includes('millrace'))).toEqual([])
})

test('loses none of several edits that run in parallel', async () => {
  folder.write('n.txt', Array.from({ length: 30 }, (_, index) => `<${index}>\n`).join(''))
  const tools = workspaceTools({ folder: folder.workspace })
  const done = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      call(find(tools, 'edit'), { path: 'n.txt', old_str: `<${index}>`, new_str: `[${index}]` }),
    ),
  )
  expect(done.every(({ error }) => error === undefined)).toBe(true)
  expect(folder.read('n.txt')).toBe(Array.from({ length: 30 }, (_, index) => `[${index}]\n`).join(''))
})

test('accepts one of several creations that run in parallel', async () => {
  const tools = workspaceTools({ folder: folder.workspace })
  const done = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      call(find(tools, 'create'), { path: 'new.txt', file_text: String(index) }),
    ),
  )
  expect(done.filter(({ error }) => error === undefined)).toHaveLength(1)
})

test('offers no tool that writes if read-only, and an editor that only views', async () => {
  expect(workspaceTools({ folder: folder.workspace, readOnly: true }).map(({ name }) => name)).toEqual([
    'view',
    'search',
  ])
  const options = { readOnly: true }
  expect((await claude({ command: 'view', path: 'a.txt' }, options)).text).toContain('one')
  for (const input of [
    { command: 'create', path: 'x', file_text: '' },
    { command: 'str_replace', path: 'a.txt', old_str: 'one', new_str: '' },
    { command: 'insert', path: 'a.txt', insert_line: 0, insert_text: 'x' },
  ]) {
    expect((await claude(input, options)).error).toContain('read-only')
  }
  expect(folder.read('a.txt')).toBe('one\ntwo\nthree\n')
})

test('offers the editor as Claude knows it', () => {
  const tools = workspaceTools({ folder: folder.workspace, editor: 'claude', bash: true })
  expect(tools.map(({ definition }) => definition).filter(({ type }) => type !== undefined)).toEqual([
    { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool' },
    { type: 'bash_20250124', name: 'bash' },
  ])
})

test.each([
  [{}],
  [{ command: 'undo_edit', path: 'a.txt' }],
  [{ command: 'view' }],
  [{ command: 'str_replace', path: 'a.txt' }],
  [{ command: 'create', path: 'a.txt', file_text: 7 }],
  [{ command: 'insert', path: 'a.txt', insert_line: 1.5, insert_text: '' }],
])('refuses %j in the editor', async (input) => {
  expect((await claude(input)).error).toEqual(expect.any(String))
})

test.each([
  [{ folder: '' }, 'invalid_option', 'folder'],
  [{ folder: '/no/such/folder' }, 'invalid_option', 'folder'],
  [{ folder: import.meta.filename }, 'invalid_option', 'folder'],
  [{ folder: '.', editor: 'vi' }, 'invalid_option', 'editor'],
  [{ folder: '.', maxFileBytes: 0 }, 'invalid_option', 'maxFileBytes'],
  [{ folder: '.', readOnly: true, bash: true }, 'invalid_option', 'bash'],
  [{ folder: '.', bash: { timeout: -1 } }, 'invalid_option', 'bash.timeout'],
  [{ folder: '.', bash: { env: { 'A B': '' } } }, 'invalid_option', 'bash.env.A B'],
  [{ folder: '.', bash: { timeut: 1 } }, 'unknown_option', 'bash.timeut'],
  [{ folder: '.', readonly: true }, 'unknown_option', 'readonly'],
])('refuses wrong options: %j', (options, code, path) => {
  expect(() => Reflect.apply(workspaceTools, undefined, [options])).toThrow(expect.objectContaining({ code, path }))
})

test('view shows an empty folder', async () => {
  mkdirSync(join(folder.workspace, 'void'))
  expect((await use('view', { path: 'void' })).text).toBe('Folder void, two levels, without hidden files:\n')
})
