import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileBlocks } from './compile.ts'
import { checkDataBlock } from './data-blocks.ts'
import { findRunnable, runExample } from './examples.ts'
import { checkLinks } from './links.ts'
import { readPages } from './markdown.ts'
import { writePackageTable } from './package-table.ts'
import { compareWithFile, copyFromFiles } from './regions.ts'

/** The result of checking the documentation. */
export interface DocsReport {
  pages: number
  blocks: number
  /** Examples that were run. */
  examples: number
  /** `README.md:12: what is wrong` */
  problems: string[]
}

/** Checks every page under `root` (code blocks, links, the table of packages), and runs the examples. */
export async function checkDocs(root: string): Promise<DocsReport> {
  const pages = readPages(root)
  const blocks = pages.flatMap((page) => page.blocks)
  const differing = blocks.flatMap((block) => {
    const problems = [...compareWithFile(root, block), ...checkDataBlock(block, root)]
    return problems.map((problem) => `${block.page}:${block.line}: ${problem}`)
  })
  const compiled = compileBlocks(root, blocks).map(({ page, line, message }) => `${page}:${line}: ${message}`)
  const links = checkLinks(root, pages).map(({ link, message }) => `${link.page}:${link.line}: ${message}`)
  const runnable = findRunnable(root)
  const run: string[] = []
  // One after the other: an example may measure time.
  for (const path of runnable) run.push(...(await runExample(root, path)).map((problem) => `${path}: ${problem}`))
  return {
    pages: pages.length,
    blocks: blocks.length,
    examples: runnable.length,
    problems: [...differing, ...compiled, ...links, ...checkTable(root), ...run],
  }
}

/** Rewrites the blocks that show files and the table of packages. Returns the pages that changed. */
export function fixDocs(root: string): string[] {
  return readPages(root)
    .filter(({ path, source, blocks }) => {
      const copied = copyFromFiles(root, source, blocks)
      const fixed = path === 'README.md' ? writePackageTable(root, copied) : copied
      if (fixed !== source) writeFileSync(join(root, path), fixed)
      return fixed !== source
    })
    .map(({ path }) => path)
}

function checkTable(root: string): string[] {
  const source = readFileSync(join(root, 'README.md'), 'utf8')
  try {
    return writePackageTable(root, source) === source
      ? []
      : ['README.md: the table of packages is out of date: "pnpm run docs --fix" writes it']
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
