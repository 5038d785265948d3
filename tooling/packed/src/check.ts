import { readLayers } from '@millrace/boundaries/layers'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileConsumer } from './consumer-types.ts'
import { admits, findNodes, installConsumer, tryEntries } from './consumer.ts'
import { packAll, type PackedPackage } from './package.ts'
import { runAttw, runPublint } from './resolution.ts'
import { packedRules } from './rules.ts'
import { findOversized, formatSizes, measureSizes, readBudgets } from './sizes.ts'

/** The result of checking all packages. */
export interface PackedReport {
  packages: number
  /** The table of sizes, for people. */
  sizes: string
  /** What could not be checked here, and why. */
  skipped: string[]
  problems: string[]
}

/**
 * Packs the public packages, checks the tarballs, and uses them in a project outside the repository. Stops after a problem in a
 * tarball, because an incomplete package cannot be used.
 *
 * @param only folders under `packages/` to check, together with what they need; the default is all
 */
export async function checkPacked(only: string[] = []): Promise<PackedReport> {
  const workspace = mkdtempSync(join(tmpdir(), 'packed-'))
  try {
    const packages = await packAll(workspace, only)
    const contents = (await Promise.all(packages.map(checkContents))).flat()
    if (contents.length > 0) return { packages: packages.length, sizes: '', skipped: [], problems: contents }
    const isPacked = (folder: string) => packages.some((pkg) => pkg.folder === folder)
    const budgets = Object.fromEntries(
      Object.entries(readBudgets()).filter(([folder]) => only.length === 0 || isPacked(folder)),
    )
    const sizes = await measureSizes(packages, budgets)
    const consumer = join(workspace, 'consumer')
    mkdirSync(consumer)
    const { skipped, problems } = await checkConsumer(consumer, packages)
    return {
      packages: packages.length,
      sizes: formatSizes(sizes),
      skipped,
      problems: [...findOversized(sizes, packages, budgets), ...problems],
    }
  } finally {
    rmSync(workspace, { recursive: true, force: true })
  }
}

/** Applies the rules, publint and attw to one package. */
export async function checkContents(pkg: PackedPackage): Promise<string[]> {
  const rules = { ...packedRules, publint: runPublint, attw: runAttw }
  const found = await Promise.all(
    Object.entries(rules).map(async ([name, rule]) =>
      // A tarball without the file that a rule checks breaks that rule.
      (
        await Promise.resolve(pkg)
          .then(rule)
          .catch((error: unknown) => [String(error)])
      ).map((problem) => `${pkg.folder}: ${name}: ${problem}`),
    ),
  )
  return found.flat()
}

async function checkConsumer(
  dir: string,
  packages: PackedPackage[],
): Promise<{ skipped: string[]; problems: string[] }> {
  await installConsumer(dir, packages, { '@types/node': '24' })
  const skipped: string[] = []
  const problems: string[] = []
  const nodes = await findNodes()
  for (const major of ['20', '24']) {
    const node = nodes.find(({ version }) => version.startsWith(`${major}.`))
    if (node === undefined) {
      skipped.push(`imports under Node ${major}: it is not installed`)
      continue
    }
    for (const pkg of packages) {
      const minimum = pkg.manifest.engines?.['node']
      if (admits(minimum, node.version)) problems.push(...(await tryEntries(dir, pkg, node)))
      else skipped.push(`${pkg.manifest.name} under Node ${node.version}: it needs ${minimum}`)
    }
  }
  const layers = readLayers()
  const neutral = packages.filter(({ folder }) => layers[folder]?.runtime === 'neutral' && !layers[folder].nodeEntries)
  problems.push(
    ...compileConsumer({ dir, packages, resolution: 'nodenext', types: ['node'] }),
    ...compileConsumer({ dir, packages: neutral, resolution: 'bundler', types: [] }),
  )
  return { skipped, problems }
}
