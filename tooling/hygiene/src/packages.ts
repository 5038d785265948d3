import type { WorkspacePackage } from '@millrace/config/workspace'

/** Scripts that the packages of each group must have: turbo passes over a package without the script, in silence. */
const required: Record<WorkspacePackage['group'], string[]> = {
  packages: ['build', 'test', 'types'],
  apps: ['test', 'types'],
  tooling: ['test', 'types'],
}

/** Parts that tests and reports of other packages are made of. Those packages test them. */
const parts = ['tooling/faults', 'tooling/faults-peers', 'tooling/legacy-loops']

/** Packages that are not built, tested or compiled, as sentences. */
export function findUnchecked(packages: WorkspacePackage[]): string[] {
  return packages.flatMap(({ group, dir, manifest }) =>
    required[group]
      .filter((script) => manifest.scripts?.[script] === undefined)
      .filter((script) => script !== 'test' || !parts.includes(dir))
      .map((script) => `${dir}/package.json: unchecked: it has no script "${script}"`),
  )
}
