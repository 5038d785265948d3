import { readLayers, type Layers } from '@millrace/boundaries/layers'
import { listPackages } from '@millrace/config/workspace'

const opening = '<!-- packages: written by "pnpm run docs --fix" -->'
const closing = '<!-- /packages -->'

/** The table of the published packages, lowest layer first, each described as its `package.json` does. */
function packageTable(root: string, layers: Layers = readLayers()): string {
  const depth = (folder: string) => layers[folder]?.layer ?? Number.POSITIVE_INFINITY
  const rows = listPackages(root)
    .filter(({ group, manifest }) => group === 'packages' && manifest.private !== true)
    .sort((a, b) => depth(a.folder) - depth(b.folder))
    .map(({ dir, manifest }) => `| [\`${manifest.name}\`](${dir}) | ${manifest.description ?? ''} |`)
  return ['| package | what it is |', '|---|---|', ...rows].join('\n')
}

/** Returns the front page with a new table. Throws if it lacks the two comments around the table. */
export function writePackageTable(root: string, source: string): string {
  const start = source.indexOf(opening)
  const end = source.indexOf(closing)
  if (start === -1 || end < start) throw new Error(`README.md lacks ${opening} and ${closing}`)
  return `${source.slice(0, start + opening.length)}\n\n${packageTable(root)}\n\n${source.slice(end)}`
}
