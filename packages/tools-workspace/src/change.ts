import { ToolError } from '@millrace/core'
import { readText, writeText } from './files.ts'
import type { WorkspaceSettings } from './settings.ts'
import { numberLines, splitLines } from './text-lines.ts'

export interface EditInput {
  readonly path: string
  readonly old_str: string
  readonly new_str?: string
  readonly replace_all?: boolean
}

export interface CreateInput {
  readonly path: string
  readonly file_text: string
  readonly overwrite?: boolean
}

export interface InsertInput {
  readonly path: string
  /** The line to insert after; 0 is the beginning. */
  readonly insert_line: number
  readonly insert_text: string
}

/** The number of lines shown before and after a change. */
const around = 4

function positions(text: string, part: string): number[] {
  const found: number[] = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) found.push(at)
  return found
}

function lineAt(text: string, position: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

/** Returns the offset after line `line` and its line break. */
function endOfLine(text: string, line: number): number {
  let at = 0
  for (let passed = 0; passed < line; passed += 1) {
    const end = text.indexOf('\n', at)
    at = end === -1 ? text.length : end + 1
  }
  return at
}

function excerpt(text: string, line: number, count: number): string {
  const lines = splitLines(text)
  const first = Math.max(1, line - around)
  return numberLines(lines.slice(first - 1, line + count + around), first)
}

function checkSize(text: string, shown: string, maxBytes: number): void {
  if (Buffer.byteLength(text) > maxBytes) throw new ToolError(`"${shown}" would be larger than ${maxBytes} bytes.`)
}

function noMatch(shown: string, text: string, part: string): ToolError {
  const hint =
    text.includes('\r\n') && part.includes('\n') && !part.includes('\r\n') ? ' The file ends its lines with CRLF.' : ''
  return new ToolError(
    `No replacement: old_str was not found in "${shown}". It must match exactly, spaces and line breaks included.${hint} View the file and copy from it, without line numbers.`,
  )
}

/** Replaces the one occurrence of `old_str`. @throws ToolError if there is none, or more than one */
export async function edit(input: EditInput, { workspace, maxFileBytes, writes }: WorkspaceSettings): Promise<string> {
  const { path, old_str: part, new_str: replacement = '', replace_all: all = false } = input
  const place = await workspace.locate(path)
  if (part === '') throw new ToolError('old_str is empty. Give the text to replace; to add text, use insert or create.')
  if (part === replacement) throw new ToolError('old_str and new_str are the same: there is nothing to change.')
  return writes.run(place.real, async () => {
    const { text, mode } = await readText(place, maxFileBytes)
    const found = positions(text, part)
    const [first] = found
    if (first === undefined) throw noMatch(place.shown, text, part)
    if (found.length > 1 && !all) {
      const lines = found.slice(0, 20).map((at) => lineAt(text, at))
      throw new ToolError(
        `No replacement: old_str occurs ${found.length} times in "${place.shown}", in lines ${lines.join(', ')}${found.length > 20 ? ' …' : ''}. Include more of the text around the one you mean.`,
      )
    }
    const changed = text.split(part).join(replacement)
    checkSize(changed, place.shown, maxFileBytes)
    await writeText(place, changed, { mode, overwrite: true })
    const times = found.length === 1 ? '' : `, ${found.length} times`
    return `Edited "${place.shown}"${times}. It now reads:\n${excerpt(changed, lineAt(changed, first), splitLines(replacement).length)}`
  })
}

/** Writes a whole file. @throws ToolError if it exists and `overwrite` is not set */
export async function create(
  input: CreateInput,
  { workspace, maxFileBytes, writes }: WorkspaceSettings,
): Promise<string> {
  const { path, file_text: text, overwrite = false } = input
  const place = await workspace.locate(path)
  checkSize(text, place.shown, maxFileBytes)
  return writes.run(place.real, async () => {
    // Keeps the permissions. A file that cannot be read as text must not be overwritten blindly.
    const before = place.exists && overwrite ? await readText(place, maxFileBytes) : undefined
    await writeText(place, text, { ...(before === undefined ? {} : { mode: before.mode }), overwrite })
    return `${before === undefined ? 'Created' : 'Overwrote'} "${place.shown}".`
  })
}

/** Inserts text after a line. */
export async function insert(
  input: InsertInput,
  { workspace, maxFileBytes, writes }: WorkspaceSettings,
): Promise<string> {
  const { path, insert_line: line, insert_text: added } = input
  const place = await workspace.locate(path)
  return writes.run(place.real, async () => {
    const { text, mode } = await readText(place, maxFileBytes)
    const count = splitLines(text).length
    if (line < 0 || line > count) {
      throw new ToolError(`insert_line ${line} does not fit "${place.shown}": give 0 to ${count}.`)
    }
    const end = text.includes('\r\n') ? '\r\n' : '\n'
    const at = endOfLine(text, line)
    const rest = text.slice(at)
    const open = at === 0 || text.charAt(at - 1) === '\n' ? '' : end
    // A file without a line break at its end stays without one.
    const close = added.endsWith('\n') || (rest === '' && open !== '') ? '' : end
    const changed = text.slice(0, at) + open + added + close + rest
    checkSize(changed, place.shown, maxFileBytes)
    await writeText(place, changed, { mode, overwrite: true })
    return `Inserted into "${place.shown}". It now reads:\n${excerpt(changed, line + 1, splitLines(added).length)}`
  })
}
