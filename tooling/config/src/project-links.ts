const repository = 'https://github.com/millrace/millrace'

/** The fields of a `package.json` that lead from the registry to the project. */
export interface ProjectLinks {
  homepage: string
  bugs: string
  repository: { type: 'git'; url: string; directory: string }
}

/** Returns the links that the public package in `packages/<folder>` must have. */
export function projectLinks(folder: string): ProjectLinks {
  return {
    homepage: `${repository}/tree/main/packages/${folder}#readme`,
    bugs: `${repository}/issues`,
    repository: { type: 'git', url: `git+${repository}.git`, directory: `packages/${folder}` },
  }
}
