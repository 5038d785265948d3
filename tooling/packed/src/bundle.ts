import { build } from 'esbuild'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Entry, PackedPackage } from './package.ts'

/** What a bundler makes of one entry, with everything that the package does not hold left outside. */
export interface Bundle {
  /** Bytes, minified and gzipped. */
  size: number
  /** What is imported from elsewhere, as written. */
  imports: string[]
}

/** Bundles one entry. Throws where its file is missing or cannot be parsed. */
export async function bundleEntry({ dir }: PackedPackage, { file }: Pick<Entry, 'file'>): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(dir, file)],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    packages: 'external',
    external: ['node:*'],
    minify: true,
    metafile: true,
    write: false,
    logLevel: 'silent',
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  const size = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
  return { size, imports: [...new Set(imports)] }
}
