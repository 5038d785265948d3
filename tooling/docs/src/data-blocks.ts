import { spawnSync } from 'node:child_process'
import { readManifest } from '@millrace/config/workspace'
import { join } from 'node:path'
import ts from 'typescript'
import { parse as parseYaml } from 'yaml'
import type { CodeBlock } from './markdown.ts'

/** Checks one block. Returns a sentence for each problem. */
type BlockCheck = (block: CodeBlock, root: string) => string[]

const languages: Record<string, BlockCheck> = {
  json: ({ text }) => messageOf(() => JSON.parse(text)),
  jsonc: ({ text }) => {
    const { error } = ts.parseConfigFileTextToJson('block.jsonc', text)
    return error === undefined ? [] : [ts.flattenDiagnosticMessageText(error.messageText, '\n')]
  },
  yaml: ({ text }) => messageOf(() => parseYaml(text)),
  js: checkJavaScript,
  sh: checkShell,
}

/** Compiled together, elsewhere. */
export const compiledLanguages: ReadonlySet<string> = new Set(['ts', 'tsx'])

/** Languages without a check. */
const shown: ReadonlySet<string> = new Set([
  'text',
  'diff',
  'http',
  'html',
  'css',
  'mermaid',
  'promql',
  'lua',
  'dockerfile',
])

/** Checks every block that is not compiled. A block with an unknown language, or without one, is a problem. */
export function checkDataBlock(block: CodeBlock, root: string): string[] {
  const check = languages[block.language]
  if (check !== undefined) return check(block, root)
  if (compiledLanguages.has(block.language) || shown.has(block.language)) return []
  const known = [...compiledLanguages, ...Object.keys(languages), ...shown].join(', ')
  return [`unknown language "${block.language}"; expected one of ${known}`]
}

function checkJavaScript({ text }: CodeBlock): string[] {
  const { diagnostics = [] } = ts.transpileModule(text, {
    fileName: 'block.js',
    reportDiagnostics: true,
    compilerOptions: { allowJs: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

/** Scripts of this repository that a command names must exist, and the shell must be able to read it. */
function checkShell({ text }: CodeBlock, root: string): string[] {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })
  const scripts = readManifest(join(root, 'package.json')).scripts ?? {}
  const commands = [...text.matchAll(/^\s*(?:npx -y pnpm@12|pnpm) (run )?([a-z][a-z:-]*)/gm)]
  return [
    ...(status === 0 ? [] : [stderr.trim()]),
    ...commands.flatMap(([, run, name = '']) => {
      const isScript = scripts[name] !== undefined
      if (run === undefined && pnpmCommands.has(name)) {
        return isScript ? [`pnpm has a command "${name}" of its own: write "pnpm run ${name}"`] : []
      }
      return isScript ? [] : [`"pnpm ${name}" is neither a script of the root nor a command of pnpm`]
    }),
  ]
}

/** Commands of pnpm that hide scripts of the same name, and those that documents use. */
const pnpmCommands: ReadonlySet<string> = new Set([
  'add',
  'dlx',
  'docs',
  'exec',
  'install',
  'remove',
  'update',
  'version',
])

function messageOf(read: () => unknown): string[] {
  try {
    read()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
