import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignNames } from '../src/tool-names.ts'

const tool = fc.oneof(
  fc.constantFrom('read', 'write', 'a.b', 'a_b', 'a/b', 'x'.repeat(128)),
  fc.string({ minLength: 1 }),
)
const server = fc.constantFrom('a', 'b', 'a_a', 'b-2')
const servers = fc.uniqueArray(fc.record({ server, tools: fc.uniqueArray(tool, { maxLength: 6 }) }), {
  selector: (each) => each.server,
})

test('assigns every tool a distinct name that the API accepts, always the same one', () => {
  fc.assert(
    fc.property(servers, (given) => {
      const names = assignNames(given)
      const all = given.flatMap((each) => each.tools.map((name) => names.get(each.server)?.get(name) ?? ''))
      for (const name of all) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,128}$/)
      expect(new Set(all).size).toBe(all.length)
      expect(assignNames(given)).toEqual(names)
    }),
  )
})
