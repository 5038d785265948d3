import { listPackages, repositoryRoot } from '@millrace/config/workspace'
import { checkHygiene, trackedFiles } from './check.ts'
import { findUnchecked } from './packages.ts'

const files = trackedFiles(repositoryRoot)
const problems = [...checkHygiene(files), ...findUnchecked(listPackages())]
for (const problem of problems) console.error(problem)
console.log(`hygiene: ${files.length} files, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
