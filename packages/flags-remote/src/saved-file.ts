import { isRecord, parseJson } from '@millrace/core/kit'
import type { FlagTextFormat } from '@millrace/flags/text'

/** A good answer, and when it was fetched. */
export interface SavedFile {
  readonly text: string
  readonly format: FlagTextFormat
  readonly etag: string | undefined
  readonly savedAt: number
}

/** Reads what {@link writeSavedFile} wrote. Returns undefined for anything else. */
export function readSavedFile(text: string | undefined): SavedFile | undefined {
  const value = text === undefined ? undefined : parseJson(text)
  if (!isRecord(value) || value['v'] !== 1) return undefined
  const { text: body, format, etag, savedAt } = value
  if (typeof body !== 'string' || typeof savedAt !== 'number') return undefined
  if (format !== 'json' && format !== 'yaml') return undefined
  return { text: body, format, etag: typeof etag === 'string' ? etag : undefined, savedAt }
}

/** Writes an answer as text. */
export function writeSavedFile(file: SavedFile): string {
  return JSON.stringify({ v: 1, ...file })
}
