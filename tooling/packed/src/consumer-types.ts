import { join, relative } from 'node:path'
import { writeFileSync } from 'node:fs'
import ts from 'typescript'
import { entriesOf, type PackedPackage } from './package.ts'

/** How a consumer compiles. */
export interface ConsumerCompile {
  /** The folder that `installConsumer` filled. */
  dir: string
  packages: PackedPackage[]
  /** `nodenext` for Node, `bundler` for the rest. */
  resolution: 'nodenext' | 'bundler'
  /** Ambient types of the project: `['node']`, or none. */
  types: string[]
}

/**
 * Compiles a program that imports every entry, strictly and with the declarations checked as well. Errors in
 * declarations of others are not ours and are left out.
 *
 * @returns the errors, one a line
 */
export function compileConsumer({ dir, packages, resolution, types }: ConsumerCompile): string[] {
  const file = join(dir, `consumer-${resolution}-${types.join('-') || 'neutral'}.ts`)
  const specifiers = packages.flatMap(entriesOf).map(({ specifier }) => specifier)
  const lines = specifiers.map((specifier, index) => `import * as m${index} from '${specifier}'\nvoid m${index}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  const program = ts.createProgram([file], {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
    types,
    typeRoots: [join(dir, 'node_modules/@types')],
    ...(resolution === 'nodenext'
      ? { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }
      : { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }),
  })
  const own = packages.map(({ manifest }) => join(dir, 'node_modules', manifest.name))
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file: source }) => {
      const name = source?.fileName
      return name === undefined || name === file || own.some((folder) => name.startsWith(`${folder}/`))
    })
    .map((diagnostic) => {
      const where = diagnostic.file === undefined ? '' : `${relative(dir, diagnostic.file.fileName)}: `
      return `${resolution}: ${where}${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`
    })
}
