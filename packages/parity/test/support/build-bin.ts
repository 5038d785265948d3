import { buildPackage } from '@millrace/config/build'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Where the bin stands that the tests spawn: inside the package, so that it finds what it depends on. */
export const builtBin: string = join(root, 'node_modules/.built/dist/bin.js')

/** Builds the bin as it is published, once for all tests: what users run is not the source. */
export async function setup(): Promise<void> {
  const place = join(root, 'node_modules/.built')
  await mkdir(place, { recursive: true })
  // The bin reads its version from this file.
  await copyFile(join(root, 'package.json'), join(place, 'package.json'))
  await buildPackage(root, join(place, 'dist'))
}
