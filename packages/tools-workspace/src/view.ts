import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ToolError } from '@millrace/core'
import { fileError } from './file-error.ts'
import { readText } from './files.ts'
import type { WorkspaceSettings } from './settings.ts'
import { clip, numberLines, splitLines } from './text-lines.ts'
import type { Place } from './workspace.ts'

export interface ViewInput {
  readonly path: string
  /** First and last line, from 1; -1 as the last is the end of the file. */
  readonly view_range?: readonly number[]
}

/** The most entries shown of a folder, including those of its subfolders. */
const maxEntries = 1000

async function entriesOf(folder: string, ignore: ReadonlySet<string>): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries
    .filter(({ name }) => !name.startsWith('.') && !ignore.has(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function viewFolder({ real, shown }: Place, ignore: ReadonlySet<string>): Promise<string> {
  const lines: string[] = []
  for (const entry of await entriesOf(real, ignore)) {
    lines.push(entry.isDirectory() ? `${entry.name}/` : entry.name)
    // A link to a folder is listed, but not followed.
    if (!entry.isDirectory() || lines.length > maxEntries) continue
    const inner = await entriesOf(join(real, entry.name), ignore).catch(() => [])
    for (const { name, isDirectory } of inner.map((each) => ({ name: each.name, isDirectory: each.isDirectory() }))) {
      lines.push(`${entry.name}/${name}${isDirectory ? '/' : ''}`)
    }
  }
  const more = lines.length > maxEntries ? `\n[${lines.length - maxEntries} more: view one of its folders]` : ''
  return `Folder ${shown}, two levels, without hidden files:\n${lines.slice(0, maxEntries).join('\n')}${more}`
}

function rangeOf(range: readonly number[] | undefined, count: number, shown: string): [first: number, last: number] {
  if (range === undefined) return [1, count]
  const [first = 1, given = -1] = range
  const last = given === -1 ? count : given
  if (range.length === 2 && first >= 1 && first <= last && last <= count) return [first, last]
  throw new ToolError(
    `view_range [${range.join(', ')}] does not fit "${shown}", which has ${count} lines: use [first, last] with 1 <= first <= last <= ${count}, or -1 as last.`,
  )
}

/** Returns a file's lines with their numbers, or the contents of a folder. */
export async function view({ path, view_range: range }: ViewInput, settings: WorkspaceSettings): Promise<string> {
  const { workspace, maxFileBytes, maxViewCharacters, ignore } = settings
  const place = await workspace.locate(path)
  const isFolder = await stat(place.real).then(
    (found) => found.isDirectory(),
    (error: unknown) => {
      throw fileError(place.shown, error)
    },
  )
  if (isFolder) {
    if (range !== undefined) throw new ToolError(`"${place.shown}" is a folder: view_range is for files.`)
    return viewFolder(place, ignore).catch((error: unknown) => {
      throw fileError(place.shown, error)
    })
  }
  const lines = splitLines((await readText(place, maxFileBytes)).text)
  if (lines.length === 0 && range === undefined) return `"${place.shown}" is empty.`
  const [first, last] = rangeOf(range, lines.length, place.shown)
  const text = numberLines(lines.slice(first - 1, last), first)
  return clip(
    text,
    maxViewCharacters,
    `cut after ${maxViewCharacters} characters: use view_range to see more of its ${lines.length} lines`,
  )
}
