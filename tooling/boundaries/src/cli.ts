import { checkBoundaries } from './check.ts'

const { files, violations } = await checkBoundaries()
for (const { rule, message } of violations) console.error(`${rule}: ${message}`)
console.log(`boundaries: ${files} modules, ${violations.length} violations`)
if (violations.length > 0) process.exitCode = 1
