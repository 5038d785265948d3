import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { entriesOf, type PackedPackage } from './package.ts'

const run = promisify(execFile)

/** A Node that the packages are tried with. */
export interface NodeVersion {
  /** The executable. */
  path: string
  /** `20.20.2` */
  version: string
}

/**
 * Installs all tarballs into the empty folder `dir`, as a user would with npm. Peers are installed too, the optional
 * ones as well, since an entry may need them; `extra` adds what else the project of the user holds.
 */
export async function installConsumer(
  dir: string,
  packages: PackedPackage[],
  extra: Record<string, string> = {},
): Promise<void> {
  const own = new Map(packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]))
  const peers = packages.flatMap(({ manifest }) => Object.entries(manifest.peerDependencies))
  const dependencies = { ...extra, ...Object.fromEntries(peers), ...Object.fromEntries(own) }
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline']
  await run('npm', [...args, '--loglevel=error'], { cwd: dir, env: userEnvironment() }).catch((cause: unknown) => {
    throw new Error(`npm could not install the tarballs: ${stderrOf(cause)}`, { cause })
  })
}

/**
 * Imports every entry in a process of its own, and asks every bin for its `--help`. An import must succeed, export
 * something, print nothing and leave nothing behind that keeps the process alive.
 *
 * @param patience ms after which a process that has not ended is stopped
 * @returns what is wrong, a sentence each
 */
export async function tryEntries(
  dir: string,
  pkg: PackedPackage,
  node: NodeVersion,
  patience = 30_000,
): Promise<string[]> {
  const execute = async (args: string[]) => runNode(node, args, { cwd: dir, timeout: patience })
  const imports = entriesOf(pkg).map(async ({ specifier }) => {
    const code = `if (Object.keys(await import('${specifier}')).length === 0) throw new Error('exports nothing')`
    const { error, stdout, stderr } = await execute(['--input-type=module', '--eval', code])
    const printed = error ?? `${stdout}${stderr}`
    return printed === '' ? [] : [`${specifier} under Node ${node.version}: ${printed}`]
  })
  const bins = Object.entries(pkg.manifest.bin).map(async ([name, target]) => {
    const { error, stdout } = await execute([join(dir, 'node_modules', pkg.manifest.name, target), '--help'])
    if (error !== undefined) return [`${name} --help under Node ${node.version}: ${error}`]
    return stdout.trim() === '' ? [`${name} --help prints nothing`] : []
  })
  return (await Promise.all([...imports, ...bins])).flat()
}

/** The Node that runs this, and the machine's own where it is another. */
export async function findNodes(searched: string = process.env['PATH'] ?? ''): Promise<NodeVersion[]> {
  const candidates = searched
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
  const found = await Promise.all(
    candidates.map(async (path) => ({ path, version: (await run(path, ['--version'])).stdout.trim().slice(1) })),
  )
  const nodes = [{ path: process.execPath, version: process.versions.node }, ...found]
  return nodes.filter(({ version }, index) => nodes.findIndex((other) => other.version === version) === index)
}

/** Whether `engines.node` of a package, of the form `>=20.19`, admits a version. */
export function admits(engines: string | undefined, version: string): boolean {
  const [major = 0, minor = 0] = (engines ?? '').replace('>=', '').split('.').map(Number)
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** What a process printed, and how it failed if it did. */
async function runNode(
  { path }: NodeVersion,
  args: string[],
  options: { cwd: string; timeout: number },
): Promise<{ error?: string; stdout: string; stderr: string }> {
  try {
    return await run(path, args, { ...options, env: userEnvironment() })
  } catch (error) {
    const stopped = error instanceof Error && 'killed' in error && error.killed === true
    return { error: stopped ? 'does not end by itself' : stderrOf(error), stdout: '', stderr: '' }
  }
}

/** The environment without what the package manager that runs this script has put there. */
function userEnvironment(): Record<string, string | undefined> {
  const set = /^(npm_(?!config_)|npm_config_(local_prefix|user_agent)$|NODE_OPTIONS$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !set.test(name)))
}

function stderrOf(error: unknown): string {
  if (error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' && error.stderr !== '') {
    return error.stderr.trim()
  }
  return String(error)
}
