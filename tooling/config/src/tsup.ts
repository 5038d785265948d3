import { defineConfig } from 'tsup'

/**
 * The one build that every published package shares: ESM, types, source maps, no bundled dependencies.
 *
 * @param entry output name to source file; the default is the root entry alone
 */
export function definePackage(
  entry: Record<string, string> = { index: 'src/index.ts' },
): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    dts: true,
    sourcemap: true,
    clean: true,
    treeshake: true,
  })
}
