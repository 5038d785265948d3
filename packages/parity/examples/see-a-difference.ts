// run
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { baseline, compareCassette, type Fetch, formatBaseline, formatReport, parseCassette } from '@millrace/parity'
import { replayServer } from '@millrace/parity/node'

const file = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const cassette = parseCassette(file('refund.cassette.json'))

/** What the page shows under a region of `see-a-difference.txt`. */
function shownAs(region: string): string {
  const [, shown = ''] = file('see-a-difference.txt').split(`// #region ${region}\n`)
  return shown.split('// #endregion')[0]?.trimEnd() ?? ''
}

// #region through
/** A gateway that rewrites what a tool is called with. */
const gateway =
  (fetch: Fetch): Fetch =>
  async (input, init) => {
    const response = await fetch(input, init)
    const text = await response.text()
    return new Response(text.replace(String.raw`{\"order\":\"17\"}`, String.raw`{\"order\":17}`), response)
  }

const report = await compareCassette(cassette, { place: replayServer, through: gateway })
console.log(formatReport('refund.cassette.json', report).join('\n'))
// #endregion through

assert.equal(formatReport('refund.cassette.json', report).join('\n'), shownAs('difference'))
assert.equal(formatBaseline(baseline([cassette])).join('\n'), shownAs('baseline'))
assert.equal((await compareCassette(cassette, { place: replayServer })).equal, true)
