import { listPackages, repositoryRoot } from '@millrace/config/workspace'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const placeSchema = z.strictObject({
  /** A package may import packages of lower layers only. */
  layer: z.int().min(0),
  /** `neutral` runs on Node, Bun, Deno, workers and in browsers: no Node built-ins. */
  runtime: z.enum(['neutral', 'node']),
  /** Subpaths of a neutral package that are for Node: `node` means `src/node.ts` and `src/node/`. */
  nodeEntries: z.array(z.string()).optional(),
  /** The folders of its `src`, lowest floor first: each imports only those before it. */
  rooms: z.array(z.string()).optional(),
})

/** The place of a package among the layers. */
export type Place = z.infer<typeof placeSchema>

/** The places by folder under `packages/`. */
export type Layers = Record<string, Place>

/** The table of layers that the boundaries, the lint configuration and the documentation share. */
export const layersFile: string = fileURLToPath(new URL('../layers.json', import.meta.url))

/** Reads the table. Throws with the path of the mistake if it is malformed. */
export function readLayers(file: string = layersFile): Layers {
  const parsed = z.record(z.string(), placeSchema).safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Returns a sentence for each package without a place in the table. */
export function findUnplaced(layers: Layers, root: string = repositoryRoot): string[] {
  return listPackages(root)
    .filter(({ group, folder }) => group === 'packages' && layers[folder] === undefined)
    .map(({ dir, folder }) => `${dir} has no layer: add "${folder}" to tooling/boundaries/layers.json`)
}
