import { build, type Plugin } from 'esbuild'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { entriesOf, type Entry, type PackedPackage } from './package.ts'

/** What a bundler makes of one entry, with everything that the package does not hold left outside. */
export interface Bundle {
  /** Bytes, minified and gzipped. */
  size: number
  /** What is imported from elsewhere, as written. */
  imports: string[]
}

/**
 * Bundles one entry. Throws where its file is missing or cannot be parsed.
 *
 * @param inside packages whose entries are bundled with it, as far as they are used
 */
export async function bundleEntry(
  { dir }: PackedPackage,
  { file }: Pick<Entry, 'file'>,
  inside: PackedPackage[] = [],
): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(dir, file)],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    packages: 'external',
    external: ['node:*'],
    plugins: [resolveInside(inside)],
    minify: true,
    metafile: true,
    write: false,
    logLevel: 'silent',
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  const size = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
  return { size, imports: [...new Set(imports)] }
}

/** Resolves the entries of packages that are not installed anywhere, but unpacked. */
function resolveInside(packages: PackedPackage[]): Plugin {
  const files = new Map(
    packages.flatMap((pkg) => entriesOf(pkg).map(({ specifier, file }) => [specifier, join(pkg.dir, file)] as const)),
  )
  return {
    name: 'inside',
    setup(bundler) {
      bundler.onResolve({ filter: /^@/ }, ({ path }) => {
        const found = files.get(path)
        return found === undefined ? undefined : { path: found, sideEffects: false }
      })
    },
  }
}
