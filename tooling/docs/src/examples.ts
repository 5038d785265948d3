import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The example files that begin with the line `// run`, from the root. */
export function findRunnable(root: string): string[] {
  const folders = ['packages', 'apps'].flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((folder) => `${group}/${folder}/examples`) : [],
  )
  return ['docs/examples', ...folders]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith('.ts') && readFileSync(join(root, path), 'utf8').startsWith('// run\n'))
    .sort()
}

/**
 * Runs an example on the source of the packages. It must end by itself, with exit code 0.
 *
 * @param patience ms after which it is stopped
 * @returns what is wrong, a sentence each
 */
export async function runExample(root: string, path: string, patience = 60_000): Promise<string[]> {
  try {
    const args = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning', join(root, path)]
    await run(process.execPath, args, { cwd: root, timeout: patience })
    return []
  } catch (error) {
    if (error instanceof Error && 'killed' in error && error.killed === true) return ['does not end by itself']
    return [error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)]
  }
}
