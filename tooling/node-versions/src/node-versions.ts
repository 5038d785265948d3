import { fileURLToPath } from 'node:url'

/** A Node to run a program with. */
export interface NodeVersion {
  readonly version: string
  /** The executable. */
  readonly path: string
}

/** Returns the executable of a package that this one depends on: these have a folder of their own, for their bins are all called `node`. */
function binaryOf(name: string): string {
  return fileURLToPath(new URL(`../node_modules/${name}/bin/node`, import.meta.url))
}

/** The Node versions that packages are tried with beside the one that runs the tests. */
export const nodeVersions: readonly NodeVersion[] = [
  { version: '22.13.0', path: binaryOf('node-oldest') },
  { version: '26.9.0', path: binaryOf('node-newest') },
]
