import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { type ESTree, parseSync, transformSync, Visitor } from 'rolldown/utils'
import type { Entries } from './entries.ts'

/**
 * Writes type declarations into `out`: one file for each source file that an entry reaches. Every export has an explicit
 * type (`isolatedDeclarations`), so a file is declared from its own text, without checking types.
 *
 * Throws if an export lacks an explicit type.
 *
 * @param dir the folder of the package
 * @param entries the entries; their sources lie in `src`
 */
export function writeDeclarations(dir: string, entries: Entries, out: string): void {
  const written = new Set<string>()
  const waiting = Object.values(entries).map((source) => normalize(source))
  for (const source of waiting) {
    if (written.has(source)) continue
    written.add(source)
    const { text, imports } = declare(join(dir, source))
    write(join(out, declarationOf(source)), text)
    waiting.push(...imports.map((specifier) => join(dirname(source), specifier)))
  }
  for (const [name, source] of Object.entries(entries)) {
    const target = declarationOf(source)
    if (target === `${name}.d.ts`) continue
    // An entry such as `journal`, whose source is `journal/index.ts`, is published as `journal.d.ts`.
    write(join(out, `${name}.d.ts`), `export * from './${target.replace(/\.d\.ts$/, '.js')}'\n`)
  }
}

/** Returns where the declarations of a source file go, relative to the output folder. */
function declarationOf(source: string): string {
  return relative('src', source).replace(/\.ts$/, '.d.ts')
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Returns the declarations of one source file as published, and the specifiers of the source files they import. */
function declare(file: string): { text: string; imports: string[] } {
  const { declaration = '', errors } = transformSync(file, readFileSync(file, 'utf8'), {
    typescript: { declaration: {} },
  })
  const [error] = errors
  if (error !== undefined) throw new Error(`${file}: ${error.message}`)
  const imports = findSpecifiers(declaration).filter(({ value }) => /^\.{1,2}\/.*\.ts$/.test(value))
  // Replaced from the last to the first, so that the positions of the others stay valid.
  const text = imports.reduceRight(
    (changed, { value, start, end }) =>
      `${changed.slice(0, start)}'${value.replace(/\.ts$/, '.js')}'${changed.slice(end)}`,
    declaration,
  )
  return { text, imports: imports.map(({ value }) => value) }
}

/** Returns every specifier of a declaration file, in source order. */
function findSpecifiers(text: string): ESTree.StringLiteral[] {
  const found: ESTree.StringLiteral[] = []
  const add = ({ source }: { source: ESTree.StringLiteral | null }): void => {
    if (source !== null) found.push(source)
  }
  const visitor = new Visitor({
    ImportDeclaration: add,
    ExportAllDeclaration: add,
    ExportNamedDeclaration: add,
    TSImportType: add,
  })
  visitor.visit(parseSync('declarations.d.ts', text).program)
  return found.sort((one, other) => one.start - other.start)
}
