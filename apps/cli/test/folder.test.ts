import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, openFolder } from '../src/folder/folder.ts'
import { surveyFolder } from '../src/folder/survey.ts'

const files: Readonly<Record<string, string>> = {
  'a.txt': 'one\ntwo\n',
  'b/c.txt': 'no line break at the end',
  'b/empty.txt': '',
  'b/large.bin': 'x'.repeat(1_000_001),
}

let home: string
let folder: Folder
const signal = new AbortController().signal

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  const root = join(home, 'folder')
  for (const [path, text] of Object.entries({ ...files, '.env': 'secret', 'node_modules/x.js': 'x', '.git/y': 'y' })) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await writeFile(join(home, 'outside.txt'), 'secret')
  await mkdir(join(home, 'folder-beside'))
  await writeFile(join(home, 'folder-beside/z.txt'), 'secret')
  await symlink(join(home, 'outside.txt'), join(root, 'link.txt'))
  await symlink(home, join(root, 'up'))
  folder = await openFolder(root)
})

afterAll(() => rm(home, { recursive: true, force: true }))

describe('a folder', () => {
  it('lists its files, sorted, without links, hidden files and dependencies', async () => {
    expect(await folder.list('.', { limit: 100 })).toEqual(Object.keys(files))
    expect(await folder.list('b', { limit: 1 })).toEqual(['b/c.txt'])
    expect(await folder.list('a.txt', { limit: 9 })).toEqual(['a.txt'])
  })

  it.each([
    '..',
    '../outside.txt',
    '../folder-beside/z.txt',
    'b/../../outside.txt',
    '/etc/passwd',
    'link.txt',
    'up',
    'up/outside.txt',
    '.env',
    '.git/y',
    'b/.hidden',
    'missing.txt',
  ])('refuses %s', async (path) => {
    await expect(folder.read(path, { limit: 1_000 })).rejects.toThrow(path)
    await expect(folder.list(path, { limit: 10 })).rejects.toThrow(path)
  })

  it('reads files up to a limit', async () => {
    expect((await folder.read('a.txt', { limit: 8 })).toString()).toBe(files['a.txt'])
    await expect(folder.read('a.txt', { limit: 7 })).rejects.toThrow('more than 7')
  })

  it('must exist and be a folder', async () => {
    await expect(openFolder(join(home, 'outside.txt'))).rejects.toThrow('is not a folder')
    await expect(openFolder(join(home, 'missing'))).rejects.toThrow('is not a folder')
  })
})

describe('a survey', () => {
  it('counts what is there, with progress for each file', async () => {
    const reports: unknown[] = []
    const survey = await surveyFolder(folder, '.', { signal, progress: (report) => reports.push(report.progress) })
    const read = Object.entries(files).filter(([path]) => path !== 'b/large.bin')
    expect(survey).toMatchObject({
      files: 4,
      more: false,
      unread: 1,
      lines: 3,
      bytes: read.reduce((sum, [, text]) => sum + text.length, 0),
      compressed: read.reduce((sum, [, text]) => sum + brotliCompressSync(text).length, 0),
      largest: [
        { path: 'a.txt', lines: 2 },
        { path: 'b/c.txt', lines: 1 },
        { path: 'b/empty.txt', lines: 0 },
      ],
    })
    expect(reports).toEqual([0, 1, 2, 3, 4])
  })

  it('says where it stopped counting', async () => {
    expect(await surveyFolder(folder, '.', { signal, progress: () => {}, limit: 2 })).toMatchObject({
      files: 2,
      more: true,
    })
  })

  it('ends when its signal aborts', async () => {
    const controller = new AbortController()
    const progress = (): void => controller.abort(new Error('enough'))
    await expect(surveyFolder(folder, '.', { signal: controller.signal, progress })).rejects.toThrow('enough')
  })
})
