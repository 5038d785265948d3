import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CodeBlock } from './markdown.ts'

/**
 * Returns the text that a block with `file=PATH#REGION` shows: the lines between `// #region REGION` and
 * `// #endregion REGION`, without their common indentation. Without a region, returns the whole file.
 *
 * Throws if the file or the region does not exist.
 */
function readShown(root: string, file: string): string {
  const [path = '', region] = file.split('#')
  if (!existsSync(join(root, path))) throw new Error(`${path} does not exist`)
  const lines = readFileSync(join(root, path), 'utf8').trimEnd().split('\n')
  if (region === undefined) return dedent(lines.filter((line) => !isMarker(line)))
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`)
  const end = lines.findIndex((line) => line.trim() === `// #endregion ${region}`)
  if (start === -1 || end < start) {
    throw new Error(`${path} has no "// #region ${region}" that ends with "// #endregion ${region}"`)
  }
  return dedent(lines.slice(start + 1, end).filter((line) => !isMarker(line)))
}

/** Returns the difference between a block and the file that it shows, if there is one. */
export function compareWithFile(root: string, block: CodeBlock): string[] {
  if (block.file === undefined) return []
  try {
    return readShown(root, block.file) === block.text
      ? []
      : [`differs from ${block.file}: "pnpm run docs --fix" copies it from there`]
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** The page's source with each block that shows a file rewritten from it. Throws as `readShown` does. */
export function copyFromFiles(root: string, source: string, blocks: CodeBlock[]): string {
  // From the last to the first, so that earlier offsets stay valid.
  return blocks.toReversed().reduce((text, { file, range, indent }) => {
    if (file === undefined) return text
    const lines = readShown(root, file).split('\n')
    const body = lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line)).join('\n')
    return `${text.slice(0, range.start)}${body}\n${text.slice(range.end)}`
  }, source)
}

function isMarker(line: string): boolean {
  return /^\s*\/\/ (#(end)?region\b|run$)/.test(line)
}

function dedent(lines: string[]): string {
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length)
  const common = Math.min(...indents)
  return lines
    .map((line) => line.slice(common))
    .join('\n')
    .trim()
}
