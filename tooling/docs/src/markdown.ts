import GithubSlugger from 'github-slugger'
import type { Code, Nodes } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A fenced block of code. */
export interface CodeBlock {
  /** The path of its page, from the root: `packages/core/README.md`. */
  page: string
  /** The line of its opening fence, from 1. */
  line: number
  language: string
  /** `file=packages/core/examples/quick-start.ts#region` */
  file?: string
  text: string
  /** The position of its text in the page: offsets of the line after the opening fence, and of the closing fence. */
  range: { start: number; end: number }
  /** Spaces before each line, in a list for example. */
  indent: number
}

/** A link or an image. */
export interface PageLink {
  page: string
  line: number
  url: string
}

/** One Markdown file. */
export interface Page {
  /** From the root, with forward slashes. */
  path: string
  source: string
  blocks: CodeBlock[]
  links: PageLink[]
  /** What a link may point at: the slugs of its headings and the ids of its HTML. */
  anchors: Set<string>
}

const skipped = new Set(['node_modules', 'dist', 'coverage', 'CHANGELOG.md'])

/** Reads every Markdown file under `root`; hidden folders, build output and change logs are left out. */
export function readPages(root: string): Page[] {
  return findMarkdown(root, '').map((path) => readPage(path, readFileSync(join(root, path), 'utf8')))
}

function findMarkdown(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !skipped.has(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return findMarkdown(root, path)
      return entry.isFile() && entry.name.endsWith('.md') ? [path] : []
    })
    .sort()
}

/** Parses one page. */
function readPage(path: string, source: string): Page {
  const page: Page = { path, source, blocks: [], links: [], anchors: new Set() }
  const slugger = new GithubSlugger()
  visit(fromMarkdown(source), (node) => {
    const line = node.position?.start.line ?? 0
    if (node.type === 'code') page.blocks.push(readBlock(page, node))
    if (node.type === 'link' || node.type === 'image' || node.type === 'definition') {
      page.links.push({ page: path, line, url: node.url })
    }
    if (node.type === 'heading') page.anchors.add(slugger.slug(textOf(node)))
    if (node.type === 'html') {
      for (const [, id] of node.value.matchAll(/\b(?:id|name)="([^"]+)"/g)) if (id !== undefined) page.anchors.add(id)
    }
  })
  return page
}

function readBlock({ path, source }: Page, node: Code): CodeBlock {
  const start = node.position?.start.offset ?? 0
  const end = node.position?.end.offset ?? source.length
  const file = /(?:^|\s)file=(\S+)/.exec(node.meta ?? '')?.[1]
  return {
    page: path,
    line: node.position?.start.line ?? 0,
    language: node.lang ?? '',
    ...(file === undefined ? {} : { file }),
    text: node.value,
    range: { start: source.indexOf('\n', start) + 1, end: source.lastIndexOf('\n', end - 1) + 1 },
    indent: (node.position?.start.column ?? 1) - 1,
  }
}

function visit(node: Nodes, see: (node: Nodes) => void): void {
  see(node)
  if (!('children' in node)) return
  for (const child of node.children) visit(child, see)
}

function textOf(node: Nodes): string {
  if ('value' in node) return node.value
  return 'children' in node ? node.children.map(textOf).join('') : ''
}
