// run
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const file = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')

// #region compare
import { compareRequest, formatRequestReports, parseCassette } from '@millrace/parity'
import createSupportAgent from './agent.ts'

const cassette = parseCassette(file('refund.cassette.json'))
const report = await compareRequest(cassette, (client) => createSupportAgent(client))
console.log(formatRequestReports([report]).join('\n'))
// #endregion compare

const [, shown = ''] = file('see-a-difference.txt').split('// #region request\n')
assert.equal(formatRequestReports([report]).join('\n'), shown.split('// #endregion')[0]?.trimEnd())
