import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A path for a database in a folder of its own. */
export function newDatabaseFile(): { readonly path: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'store-sqlite-'))
  return { path: join(folder, 'millrace.db'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
