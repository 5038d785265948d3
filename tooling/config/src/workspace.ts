import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** The folders whose children are packages, as `pnpm-workspace.yaml` lists them. */
const groups = ['packages', 'apps', 'tooling'] as const

const manifestSchema = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  description: z.string().optional(),
  private: z.boolean().optional(),
  scripts: z.record(z.string(), z.string()).optional(),
  dependencies: z.record(z.string(), z.string()).optional(),
  devDependencies: z.record(z.string(), z.string()).optional(),
  peerDependencies: z.record(z.string(), z.string()).optional(),
})

/** The fields of a `package.json` that the checks read; further fields are kept as `unknown`. */
export type Manifest = z.infer<typeof manifestSchema>

/** One package of the workspace. */
export interface WorkspacePackage {
  /** `packages`, `apps` or `tooling`. */
  group: (typeof groups)[number]
  /** The folder's name: `core`. */
  folder: string
  /** The folder from the root, with forward slashes: `packages/core`. */
  dir: string
  manifest: Manifest
}

/** The absolute path of the repository. */
export const repositoryRoot: string = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** Returns every package under `root`, sorted by folder. Throws if a `package.json` is unreadable. */
export function listPackages(root: string = repositoryRoot): WorkspacePackage[] {
  return groups.flatMap((group) => {
    if (!existsSync(join(root, group))) return []
    return readdirSync(join(root, group))
      .sort()
      .filter((folder) => existsSync(join(root, group, folder, 'package.json')))
      .map((folder) => ({
        group,
        folder,
        dir: `${group}/${folder}`,
        manifest: readManifest(join(root, group, folder, 'package.json')),
      }))
  })
}

/** Reads a `package.json`. Throws with the file's path if it is malformed. */
export function readManifest(path: string): Manifest {
  const parsed = manifestSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new Error(`${path} is not a package.json: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}
