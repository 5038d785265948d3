import { rmSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { build } from 'rolldown'
import { writeDeclarations } from './declarations.ts'
import { readEntries } from './entries.ts'

/**
 * Builds the public package in `dir`: an ES module, its source map and its type declarations for each entry that
 * `package.json` exports, and a module for each of its bins. Imports of other packages stay imports.
 *
 * Throws if the bundler warns or if an export lacks an explicit type.
 *
 * @param dir the folder of the package
 * @param out the output folder, emptied first; the default is `dist` in the package
 */
export async function buildPackage(dir: string, out: string = join(dir, 'dist')): Promise<void> {
  const { modules, bins } = readEntries(dir)
  rmSync(out, { recursive: true, force: true })
  await build({
    cwd: dir,
    input: { ...modules, ...bins },
    platform: 'neutral',
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    // The base configuration sets `verbatimModuleSyntax`, under which `import { type Body } from 'sdk'` still loads the SDK.
    tsconfig: false,
    transform: { target: 'es2022' },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message)
    },
    output: {
      dir: out,
      format: 'esm',
      sourcemap: true,
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
    },
  })
  writeDeclarations(dir, modules, out)
}
