import { readLayers } from '@millrace/boundaries/layers'
import { repositoryRoot } from '@millrace/config/workspace'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageFiles } from './package-files.ts'

const [name] = process.argv.slice(2)
const place = name === undefined ? undefined : readLayers()[name]
if (name === undefined) {
  console.error('usage: pnpm new-package NAME')
  process.exitCode = 1
} else if (place === undefined) {
  console.error(`"${name}" has no place: add it to tooling/boundaries/layers.json first`)
  process.exitCode = 1
} else if (existsSync(join(repositoryRoot, 'packages', name))) {
  console.error(`packages/${name} exists`)
  process.exitCode = 1
} else {
  for (const [path, text] of Object.entries(packageFiles(name, place))) {
    const file = join(repositoryRoot, 'packages', name, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  console.log(`written: packages/${name}`)
}
