import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const manifestSchema = z.object({
  exports: z.record(
    z.string(),
    z.union([z.string(), z.strictObject({ 'millrace-source': z.string(), types: z.string(), default: z.string() })]),
  ),
  bin: z.record(z.string(), z.string()).default({}),
})

/** Output name to source file: `journal` to `src/journal/index.ts`. */
export type Entries = Record<string, string>

/**
 * Reads the entries of a package from the `package.json` in `dir`. The source of an export is its `millrace-source`
 * condition; the source of a bin is the file with the same name in `src`.
 *
 * Throws if an entry is published under another name: `./journal` must be `./dist/journal.js` and `./dist/journal.d.ts`.
 */
export function readEntries(dir: string): { modules: Entries; bins: Entries } {
  const path = join(dir, 'package.json')
  const parsed = manifestSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new Error(`cannot build from ${path}: ${z.prettifyError(parsed.error)}`)
  const modules: Entries = {}
  for (const [subpath, target] of Object.entries(parsed.data.exports)) {
    if (typeof target === 'string') continue
    const name = subpath === '.' ? 'index' : subpath.slice('./'.length)
    const expected = { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
    if (target.types !== expected.types || target.default !== expected.default) {
      throw new Error(`${path}: "${subpath}" must be published as ${JSON.stringify(expected)}`)
    }
    modules[name] = target['millrace-source'].slice('./'.length)
  }
  const bins: Entries = {}
  for (const [bin, target] of Object.entries(parsed.data.bin)) {
    const name = /^\.\/dist\/([\w-]+)\.js$/.exec(target)?.[1]
    if (name === undefined) throw new Error(`${path}: bin "${bin}" must be a file in "./dist", not "${target}"`)
    bins[name] = `src/${name}.ts`
  }
  return { modules, bins }
}
