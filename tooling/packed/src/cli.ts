import { checkPacked } from './check.ts'

const { packages, sizes, skipped, problems } = await checkPacked(process.argv.slice(2))
if (sizes !== '') console.log(`bytes of each entry, minified and gzipped, without dependencies:\n${sizes}`)
for (const skip of skipped) console.log(`skipped: ${skip}`)
for (const problem of problems) console.error(problem)
console.log(`packed: ${packages} packages, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
