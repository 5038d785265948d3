import { repositoryRoot } from '@millrace/config/workspace'
import { checkDocs, fixDocs } from './check.ts'

if (process.argv.includes('--fix')) {
  for (const page of fixDocs(repositoryRoot)) console.log(`rewritten: ${page}`)
}
const { pages, blocks, examples, problems } = await checkDocs(repositoryRoot)
for (const problem of problems) console.error(problem)
console.log(`docs: ${pages} pages, ${blocks} blocks, ${examples} examples run, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
