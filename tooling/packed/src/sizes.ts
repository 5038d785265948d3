import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { bundleEntry } from './bundle.ts'
import { entriesOf, type PackedPackage } from './package.ts'

/** The most bytes that an entry may have; `with` names the packages that are counted as far as it uses them. */
const budgetSchema = z.union([
  z
    .int()
    .positive()
    .transform((max) => ({ max, with: [] as const })),
  z.strictObject({ max: z.int().positive(), with: z.array(z.string()) }),
])

/** Package folder to subpath to the most bytes it may have, minified and gzipped. */
export type Budgets = Record<string, Record<string, { max: number; with: readonly string[] }>>

/** The size of one entry. */
export interface EntrySize {
  specifier: string
  /** Bytes, minified and gzipped, without dependencies, except for those in `with`. */
  size: number
  with: readonly string[]
  budget: number | undefined
}

/** Reads `budgets.json`. */
export function readBudgets(): Budgets {
  const text = readFileSync(new URL('../budgets.json', import.meta.url), 'utf8')
  return z.record(z.string(), z.record(z.string(), budgetSchema)).parse(JSON.parse(text))
}

/** Measures every entry of the packages. */
export async function measureSizes(packages: PackedPackage[], budgets: Budgets): Promise<EntrySize[]> {
  return Promise.all(
    packages.flatMap((pkg) =>
      entriesOf(pkg).map(async (entry) => {
        const budget = budgets[pkg.folder]?.[entry.subpath]
        const counted = budget?.with ?? []
        const inside = packages.filter(({ folder }) => counted.includes(folder))
        const { size } = await bundleEntry(pkg, entry, inside)
        return { specifier: entry.specifier, size, with: counted, budget: budget?.max }
      }),
    ),
  )
}

/** Entries over their budget, and budgets of entries that do not exist, as sentences. */
export function findOversized(sizes: EntrySize[], packages: PackedPackage[], budgets: Budgets): string[] {
  const over = sizes
    .filter(({ size, budget }) => budget !== undefined && size > budget)
    .map(({ specifier, size, budget }) => `${specifier} has ${size} bytes, ${budget} are allowed`)
  const stale = Object.entries(budgets).flatMap(([folder, bySubpath]) => {
    const pkg = packages.find((candidate) => candidate.folder === folder)
    const known = new Set(pkg === undefined ? [] : entriesOf(pkg).map(({ subpath }) => subpath))
    return Object.keys(bySubpath)
      .filter((subpath) => !known.has(subpath))
      .map((subpath) => `budgets.json names "${subpath}" of ${folder}, which does not exist`)
  })
  return [...over, ...stale]
}

/** A table for people: bytes, minified and gzipped. */
export function formatSizes(sizes: EntrySize[]): string {
  const width = Math.max(...sizes.map(({ specifier }) => specifier.length))
  return sizes
    .map(({ specifier, size, budget, with: counted }) => {
      const what = counted.length === 0 ? '' : `, with what it uses of ${counted.join(', ')}`
      const allowed = budget === undefined ? '' : `  of ${budget}${what}`
      return `${specifier.padEnd(width)}  ${String(size).padStart(7)}${allowed}`
    })
    .join('\n')
}
