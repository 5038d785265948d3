import { listPackages, repositoryRoot, type Manifest, type WorkspacePackage } from '@millrace/config/workspace'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const run = promisify(execFile)

const packedManifestSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  description: z.string().optional(),
  keywords: z.array(z.string()).default([]),
  homepage: z.unknown().optional(),
  bugs: z.unknown().optional(),
  license: z.string().optional(),
  repository: z.unknown().optional(),
  type: z.string().optional(),
  sideEffects: z.unknown().optional(),
  engines: z.record(z.string(), z.string()).optional(),
  exports: z.record(z.string(), z.unknown()).default({}),
  bin: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  peerDependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
})

const packedFileSchema = z.object({ name: z.string(), filename: z.string() })

/** For one package pnpm gives an object, for several a list. */
const packReportSchema = z.union([z.array(packedFileSchema), packedFileSchema.transform((file) => [file])])

/** What the checks read of a packed `package.json`. */
export type PackedManifest = z.infer<typeof packedManifestSchema>

/** One published package, packed and unpacked again. */
export interface PackedPackage {
  /** The folder under `packages/`: `core`. */
  folder: string
  /** The absolute path of the tarball. */
  tarball: string
  /** The absolute path of what the tarball holds. */
  dir: string
  /** Every file of the tarball, with forward slashes. */
  files: string[]
  /** The manifest as published. */
  manifest: PackedManifest
  /** The manifest in the repository. */
  declared: Manifest
}

/**
 * Packs public packages of the repository into `into`: those of the folders `only` with what they need of each other, or
 * all where it is empty. Needs them built, and pnpm on the PATH.
 */
export async function packAll(into: string, only: string[] = []): Promise<PackedPackage[]> {
  const wanted = selectPackages(listPackages(), only)
  const filters = wanted.flatMap(({ manifest }) => ['--filter', manifest.name])
  const args = ['-r', ...filters, 'pack', '--json', '--pack-destination', into]
  const { stdout } = await run('pnpm', args, { cwd: repositoryRoot, maxBuffer: 64 * 1024 * 1024 })
  const tarballs = new Map(packReportSchema.parse(JSON.parse(stdout)).map(({ name, filename }) => [name, filename]))
  return Promise.all(
    wanted.map(({ folder, manifest }) => {
      const tarball = tarballs.get(manifest.name)
      if (tarball === undefined) throw new Error(`pnpm did not pack ${manifest.name}`)
      return unpack({ folder, tarball, into: join(into, folder), declared: manifest })
    }),
  )
}

/** The public packages of the folders `only` and those that they depend on, or all where it is empty. */
export function selectPackages(all: WorkspacePackage[], only: string[]): WorkspacePackage[] {
  const published = all.filter(({ group, manifest }) => group === 'packages' && manifest.private !== true)
  if (only.length === 0) return published
  const selected = new Set<WorkspacePackage>()
  const select = (pkg: WorkspacePackage): void => {
    if (selected.has(pkg)) return
    selected.add(pkg)
    const needs = { ...pkg.manifest.dependencies, ...pkg.manifest.peerDependencies }
    for (const needed of published) if (needs[needed.manifest.name] !== undefined) select(needed)
  }
  for (const folder of only) {
    const pkg = published.find((candidate) => candidate.folder === folder)
    if (pkg === undefined) throw new Error(`packages/${folder} is not a public package`)
    select(pkg)
  }
  return [...selected]
}

/** Unpacks a tarball into `into` and reads its manifest. Throws if there is none. */
async function unpack(given: {
  folder: string
  tarball: string
  into: string
  declared: Manifest
}): Promise<PackedPackage> {
  const { folder, tarball, into, declared } = given
  mkdirSync(into, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', into])
  return readUnpacked({ folder, tarball, dir: join(into, 'package'), declared })
}

/** Reads an unpacked package. */
export function readUnpacked(given: Omit<PackedPackage, 'files' | 'manifest'>): PackedPackage {
  const manifest = packedManifestSchema.parse(JSON.parse(readFileSync(join(given.dir, 'package.json'), 'utf8')))
  const files = readdirSync(given.dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(given.dir, join(entry.parentPath, entry.name)))
  return { ...given, manifest, files: files.sort() }
}

/** One importable entry of a package. */
export interface Entry {
  /** `.` or `./node`. */
  subpath: string
  /** What a consumer writes: `@millrace/core`. */
  specifier: string
  /** The module, relative to the package. */
  file: string
  /** Its declarations, relative to the package. */
  types: string
}

const entrySchema = z.strictObject({ types: z.string(), default: z.string() })

/** The entries that are exported in the one shape that the house allows: `types`, then `default`. */
export function entriesOf({ manifest }: PackedPackage): Entry[] {
  return Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    const parsed = entrySchema.safeParse(target)
    if (!parsed.success) return []
    const specifier = subpath === '.' ? manifest.name : `${manifest.name}/${subpath.slice(2)}`
    return [{ subpath, specifier, file: parsed.data.default, types: parsed.data.types }]
  })
}
