import { benches } from './benches.ts'
import { compare, formatRows } from './compare.ts'

const rounds = 15
const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !Object.hasOwn(benches, name))
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exitCode = 1
} else {
  for (const [name, { comparison, units }] of Object.entries(benches)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    const options = { units, rounds }
    console.log(`${formatRows(comparison, options, await compare(comparison, options))}\n`)
  }
}
