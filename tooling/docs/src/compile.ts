import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { compiledLanguages } from './data-blocks.ts'
import type { CodeBlock } from './markdown.ts'

/** A problem of a block or of a file that a block shows. */
export interface CompileProblem {
  page: string
  line: number
  message: string
}

/** A source file that is made from a block or shown by one. */
interface Unit {
  block: CodeBlock
  /** Its absolute path. For a block that shows no file, this file does not exist. */
  path: string
  text?: string
}

/**
 * Compiles every TypeScript block, strictly, against the source of the packages. A block that shows a file is compiled as that
 * file and must show all its imports, because a reader copies the block. Any other block is a separate module in the folder of
 * its page.
 */
export function compileBlocks(root: string, blocks: CodeBlock[]): CompileProblem[] {
  const units = blocks.filter(({ language }) => compiledLanguages.has(language)).map((block) => unitOf(root, block))
  if (units.length === 0) return []
  const hidden = blocks.flatMap((block) => hiddenImports(root, block))
  const byPath = new Map(units.map((unit) => [unit.path, unit]))
  const options = compilerOptions(root)
  const program = ts.createProgram([...byPath.keys()], options, hostWith(root, byPath, options))
  const wrong = [...byPath.values()].flatMap((unit) => {
    const source = program.getSourceFile(unit.path)
    // A file that does not exist is reported where the block is compared with it.
    if (source === undefined) return []
    const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return diagnostics.map(({ file, start, messageText }) => {
      const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line
      const message = ts.flattenDiagnosticMessageText(messageText, '\n')
      if (unit.text === undefined) {
        return {
          page: unit.block.page,
          line: unit.block.line,
          message: `${unit.block.file}, line ${line + 1}: ${message}`,
        }
      }
      // Line 0 of the text is the one after the opening fence.
      return { page: unit.block.page, line: unit.block.line + 1 + line, message }
    })
  })
  return [...hidden, ...wrong]
}

function unitOf(root: string, block: CodeBlock): Unit {
  if (block.file !== undefined) return { block, path: join(root, block.file.split('#')[0] ?? '') }
  const name = `__block-${block.page.replaceAll('/', '-')}-${block.line}.${block.language}`
  return { block, path: join(root, dirname(block.page), name), text: `${block.text}\n` }
}

/** Returns the names that a block with imports uses, but that its file imports outside the block. */
function hiddenImports(root: string, block: CodeBlock): CompileProblem[] {
  const [path = '', region] = block.file?.split('#') ?? []
  if (region === undefined || !compiledLanguages.has(block.language) || !existsSync(join(root, path))) return []
  const shown = ts.createSourceFile(path, block.text, ts.ScriptTarget.Latest)
  const own = importedNames(shown)
  if (own.size === 0) return []
  const used = identifiersOf(shown)
  const all = importedNames(ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest))
  const missing = [...all].filter((name) => used.has(name) && !own.has(name))
  if (missing.length === 0) return []
  const message = `does not show where it imports ${missing.join(', ')} from: move the region in ${path}`
  return [{ page: block.page, line: block.line, message }]
}

function importedNames(source: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  for (const statement of source.statements) {
    const clause = ts.isImportDeclaration(statement) ? statement.importClause : undefined
    if (clause?.name) names.add(clause.name.text)
    const bindings = clause?.namedBindings
    if (bindings && ts.isNamespaceImport(bindings)) names.add(bindings.name.text)
    if (bindings && ts.isNamedImports(bindings)) for (const { name } of bindings.elements) names.add(name.text)
  }
  return names
}

/** Returns the names that a file uses and does not declare, without names of properties. */
function identifiersOf(source: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  const declared = new Set<string>()
  const see = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text)
    const isNamed = ts.isBindingElement(node) || ts.isParameter(node) || ts.isVariableDeclaration(node)
    if (isNamed && ts.isIdentifier(node.name)) declared.add(node.name.text)
    if (ts.isPropertyAccessExpression(node)) see(node.expression)
    else if (ts.isBindingElement(node))
      ts.forEachChild(node, (child) => void (child !== node.propertyName && see(child)))
    else if (ts.isPropertyAssignment(node)) see(node.initializer)
    else ts.forEachChild(node, see)
  }
  see(source)
  for (const name of declared) names.delete(name)
  return names
}

function compilerOptions(root: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) => ts.sys.readFile(path))
  const { options, errors } = ts.convertCompilerOptionsFromJson(config?.compilerOptions, root)
  if (errors[0] !== undefined) throw new Error(ts.flattenDiagnosticMessageText(errors[0].messageText, '\n'))
  return {
    ...options,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    isolatedDeclarations: false,
    declaration: false,
    // A block without an import is a module too: two blocks may use the same name.
    moduleDetection: ts.ModuleDetectionKind.Force,
    jsx: ts.JsxEmit.ReactJSX,
  }
}

/** Serves the blocks as files, and finds modules for pages that belong to no package in the packages. */
function hostWith(root: string, units: Map<string, Unit>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const packages = ['packages', 'apps'].flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((folder) => join(root, group, folder)) : [],
  )
  const resolve = (name: string, from: string) => ts.resolveModuleName(name, from, options, host).resolvedModule
  return {
    ...host,
    fileExists: (path) => units.get(path)?.text !== undefined || host.fileExists(path),
    readFile: (path) => units.get(path)?.text ?? host.readFile(path),
    getSourceFile: (path, ...rest) => {
      const text = units.get(path)?.text
      return text === undefined ? host.getSourceFile(path, ...rest) : ts.createSourceFile(path, text, rest[0])
    },
    resolveModuleNameLiterals: (literals, from) =>
      literals.map(({ text }) => {
        const places = units.has(from) ? [from, ...packages.map((folder) => join(folder, 'index.ts'))] : [from]
        return { resolvedModule: places.map((place) => resolve(text, place)).find((found) => found !== undefined) }
      }),
  }
}
