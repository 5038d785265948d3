import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { ToolProgress } from '@millrace/core'
import { fileError } from './file-error.ts'
import { decodeText } from './files.ts'
import { readGlob } from './glob.ts'
import { lineMatcher, literalPattern } from './match-lines.ts'
import type { WorkspaceSettings } from './settings.ts'
import { walk, type WalkedFile } from './walk.ts'
import type { Place } from './workspace.ts'

export interface SearchInput {
  readonly pattern: string
  readonly path?: string
  readonly glob?: string
  readonly literal?: boolean
  readonly ignore_case?: boolean
}

export interface SearchContext {
  readonly signal: AbortSignal
  readonly progress: (report: ToolProgress) => void
}

/** Progress is reported after this many files, and after each file that has matches. */
const reportEvery = 50

/** Returns the text of a file, or undefined if it is too large, binary, or cannot be read. */
async function textOf(real: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const { size } = await file.stat()
      return size > maxBytes ? undefined : decodeText(await file.readFile())
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

async function* filesAt({ real, shown }: Place, ignore: ReadonlySet<string>): AsyncGenerator<WalkedFile, void, void> {
  const found = await stat(real).catch((error: unknown) => {
    throw fileError(shown, error)
  })
  if (found.isDirectory()) yield* walk(real, ignore, shown === '.' ? '' : `${shown}/`)
  else yield { real, path: shown }
}

/** Returns the lines that match as `path:line: text`, ordered by path. */
export async function search(
  input: SearchInput,
  { signal, progress }: SearchContext,
  settings: WorkspaceSettings,
): Promise<string> {
  const { workspace, ignore, maxFileBytes, maxMatches } = settings
  const { pattern, path = '.', glob, literal = false, ignore_case: ignoreCase = false } = input
  const matcher = lineMatcher(literal ? literalPattern(pattern) : pattern, ignoreCase)
  const wanted = glob === undefined ? () => true : readGlob(glob)
  const matches: string[] = []
  let searched = 0
  let skipped = 0
  let files = 0
  const report = (): void => {
    const message = `${matches.length} matches in ${files} of ${searched} files`
    progress({ progress: searched, message, data: { matches: matches.slice(-5) } })
  }
  for await (const { real, path: at } of filesAt(await workspace.locate(path), ignore)) {
    signal.throwIfAborted()
    if (!wanted(at)) continue
    const text = await textOf(real, maxFileBytes)
    searched += 1
    if (text === undefined) skipped += 1
    // One more than is shown, to find out whether there are more.
    const found = text === undefined ? [] : matcher.matches(text, maxMatches + 1 - matches.length)
    if (found.length > 0) files += 1
    for (const { line, text: shown } of found) matches.push(`${at}:${line}: ${shown}`)
    if (found.length > 0 || searched % reportEvery === 0) report()
    if (matches.length > maxMatches) break
  }
  report()
  const notes = [
    ...(matches.length > maxMatches
      ? [`[only the first ${maxMatches} matches are shown: narrow the pattern, the path or the glob]`]
      : []),
    ...(skipped > 0 ? [`[${skipped} skipped: binary, unreadable, or larger than ${maxFileBytes} bytes]`] : []),
  ]
  if (matches.length === 0) return [`No matches in ${searched} files.`, ...notes].join('\n')
  return [...matches.slice(0, maxMatches), ...notes].join('\n')
}
