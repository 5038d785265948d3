import { projectLinks } from '@millrace/config/project-links'
import { repositoryRoot } from '@millrace/config/workspace'
import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import ts from 'typescript'
import { z } from 'zod'
import { bundleEntry } from './bundle.ts'
import { entriesOf, type PackedPackage } from './package.ts'

/** Checks one packed package. Returns a sentence for each problem. */
export type PackedRule = (pkg: PackedPackage) => string[] | Promise<string[]>

/** Every rule about what a tarball holds, by name. */
export const packedRules: Record<string, PackedRule> = {
  esm: ({ manifest }) => problemIf(manifest.type !== 'module', '"type" is not "module"'),

  'side-effects': ({ manifest }) => problemIf(manifest.sideEffects !== false, '"sideEffects" is not false'),

  engines: ({ manifest }) =>
    problemIf(
      !/^>=(20\.19|2[1-9]\.\d+)(\.\d+)?$/.test(manifest.engines?.['node'] ?? ''),
      '"engines.node" is not ">=20.19" or a later minimum',
    ),

  license: ({ manifest, files }) => [
    ...problemIf(manifest.license !== 'Apache-2.0', '"license" is not "Apache-2.0"'),
    ...problemIf(!files.includes('LICENSE'), 'LICENSE is not packed'),
  ],

  described: ({ manifest, files }) => [
    ...problemIf((manifest.description ?? '') === '', '"description" is missing'),
    ...problemIf(!files.includes('README.md'), 'README.md is not packed'),
  ],

  linked: ({ folder, manifest }) => [
    ...problemIf(manifest.keywords.length === 0, '"keywords" is missing'),
    ...Object.entries(projectLinks(folder))
      .filter(([field, link]) => !isDeepStrictEqual(manifest[field], link))
      .map(([field, link]) => `"${field}" is not ${JSON.stringify(link)}`),
  ],

  contents: ({ files }) => [
    ...files
      .filter((file) => !/^(dist\/.+|README\.md|LICENSE|CHANGELOG\.md|package\.json|schema\.json)$/.test(file))
      .map((file) => `${file} does not belong into the package`),
    ...problemIf(!files.some((file) => file.startsWith('dist/')), 'dist is empty: the package was not built'),
  ],

  exports: (pkg) => {
    const entries = new Set(entriesOf(pkg).map(({ subpath }) => subpath))
    return [
      ...Object.entries(pkg.manifest.exports)
        // Data is exported without a build: `./package.json`, and a JSON Schema for editors.
        .filter(([subpath, target]) => !entries.has(subpath) && !(subpath.endsWith('.json') && target === subpath))
        .map(([subpath, target]) => `"${subpath}" is not { types, default }: ${JSON.stringify(target)}`),
      ...entriesOf(pkg)
        .filter(({ subpath }) => Object.keys(Object(pkg.manifest.exports[subpath]))[0] !== 'types')
        .map(({ subpath }) => `"${subpath}" does not name its types first`),
      ...problemIf(!entries.has('.'), 'there is no root entry'),
      ...problemIf(pkg.manifest.exports['./package.json'] !== './package.json', '"./package.json" is not exported'),
    ]
  },

  targets: (pkg) =>
    entriesOf(pkg)
      .flatMap(({ file, types }) => [file, types])
      .filter((target) => !pkg.files.includes(target.replace(/^\.\//, '')))
      .map((target) => `${target} is exported and not packed`),

  bins: ({ manifest, dir }) =>
    Object.entries(manifest.bin).flatMap(([name, target]) => {
      const path = join(dir, target)
      if (!existsSync(path)) return [`bin ${name}: ${target} is not packed`]
      return problemIf(
        !readFileSync(path, 'utf8').startsWith('#!/usr/bin/env node\n'),
        `bin ${name}: ${target} does not begin with #!/usr/bin/env node`,
      )
    }),

  'dependency-ranges': ({ manifest }) =>
    Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
      .filter(([, range]) => !/^(\^|>=)\d/.test(range))
      .map(([name, range]) => `${name}: "${range}" is not a range that a consumer can share (^1.2.3)`),

  'declared-imports': async (pkg) => {
    const declared = new Set([
      pkg.manifest.name,
      ...Object.keys(pkg.manifest.dependencies),
      ...Object.keys(pkg.manifest.peerDependencies),
      ...Object.keys(pkg.manifest.optionalDependencies),
    ])
    return [...new Set((await importsOf(pkg)).map(packageOf))]
      .filter((name) => !declared.has(name) && !isBuiltin(name))
      .map((name) => `${name} is imported and not declared`)
  },

  // Without the prefix, a package of the same name could be meant, and some runtimes find nothing.
  'node-protocol': async (pkg) =>
    [...new Set(await importsOf(pkg))]
      .filter((specifier) => isBuiltin(specifier) && !specifier.startsWith('node:'))
      .map((specifier) => `${specifier} is imported without "node:"`),

  declarations: ({ dir, files }) =>
    files.filter((file) => file.endsWith('.d.ts')).flatMap((file) => checkDeclarations(dir, file)),

  'source-maps': ({ dir, files }) =>
    files.filter((file) => file.endsWith('.map')).flatMap((file) => checkSourceMap(dir, file)),

  'no-machine-path': ({ dir, files }) =>
    files
      .filter((file) => readFileSync(join(dir, file), 'utf8').includes(repositoryRoot))
      .map((file) => `${file} names the folder that it was built in`),

  'core-stands-alone': ({ folder, manifest }) => {
    if (folder !== 'core') return []
    const peers = Object.keys(manifest.peerDependencies).join(', ')
    return [
      ...[...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)].map(
        (name) => `core depends on ${name}`,
      ),
      ...problemIf(peers !== '@anthropic-ai/sdk', `core's peers are not the SDK alone: ${peers}`),
    ]
  },

  'built-when-published': ({ declared }) =>
    problemIf(
      declared.scripts?.['prepublishOnly'] !== 'build-package',
      '"scripts.prepublishOnly" is not "build-package": a version without its build could be published',
    ),
}

/** What declarations import from their own package must be packed, under the name of the module. */
function checkDeclarations(dir: string, file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(dir, file), 'utf8'))
  return importedFiles
    .map(({ fileName }) => fileName)
    .filter((specifier) => specifier.startsWith('.'))
    .filter(
      (specifier) =>
        !specifier.endsWith('.js') || !existsSync(join(dir, dirname(file), specifier.replace(/\.js$/, '.d.ts'))),
    )
    .map((specifier) => `${file} imports ${specifier}, which is not a packed module`)
}

const sourceMapSchema = z.object({
  sources: z.array(z.string()),
  sourcesContent: z.array(z.string().nullable()).default([]),
})

function checkSourceMap(dir: string, file: string): string[] {
  const { sources, sourcesContent } = sourceMapSchema.parse(JSON.parse(readFileSync(join(dir, file), 'utf8')))
  return sources.flatMap((source, index) => [
    ...problemIf(
      relative(dir, join(dir, dirname(file), source)).startsWith('..'),
      `${file} points outside of the package: ${source}`,
    ),
    ...problemIf(typeof sourcesContent[index] !== 'string', `${file} lacks the text of ${source}`),
  ])
}

/** Returns what the modules of the package import from outside of it, in all entries and bins. */
async function importsOf(pkg: PackedPackage): Promise<string[]> {
  const files = [...entriesOf(pkg).map(({ file }) => file), ...Object.values(pkg.manifest.bin)]
  return (await Promise.all(files.map(async (file) => (await bundleEntry(pkg, { file })).imports))).flat()
}

/** `@scope/name/sub` and `name/sub` without what follows the name. */
function packageOf(specifier: string): string {
  return specifier.startsWith('node:') ? specifier : specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function problemIf(wrong: boolean, message: string): string[] {
  return wrong ? [message] : []
}
