import { formatTotals, sumResults } from './sum-results.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: sum-results-cli.ts FOLDER')
const totals = sumResults(folder)
console.log(formatTotals(totals))
if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1
