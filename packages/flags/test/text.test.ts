import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { formatIssue } from '../src/issues.ts'
import { readFlagText } from '../src/text.ts'
import { everything } from './support/documents.ts'

const json = JSON.stringify(everything, null, 2)
const yaml = stringify(everything)

it('reads JSON and YAML alike', () => {
  const fromJson = readFlagText(json, { format: 'json' })
  expect(fromJson).toMatchObject({ status: 'read', document: everything })
  expect(readFlagText(yaml, { format: 'yaml' })).toEqual(fromJson)
  expect(readFlagText(`\uFEFF${json}`, { format: 'json' })).toEqual(fromJson)
  expect(readFlagText(json.replaceAll('  ', '\t'), { format: 'json' })).toEqual(fromJson)
})

it.each([
  ['json', '{\n  "flags": {\n    "use_streaming.kill": { "state": "on" }\n  }\n}', 3],
  ['yaml', '# flags\nflags:\n  use_streaming.kill:\n    state: on\n    variants: {a: true}\n', 4],
] as const)('says where in %s an error is', (format, text, line) => {
  const { issues } = readFlagText(text, { format })
  const [issue] = issues.filter(({ path }) => path.endsWith('.state'))
  expect(issue).toMatchObject({ path: "$.flags['use_streaming.kill'].state", line })
  expect(text.split('\n')[line - 1]?.slice((issue?.column ?? 0) - 1)).toMatch(/^"?state/)
})

it('points to the nearest existing parent of something that is missing', () => {
  const text = '{\n  "flags": {\n    "a": { "variants": { "on": true } }\n  }\n}'
  const { issues } = readFlagText(text, { format: 'json' })
  expect(issues.map(formatIssue)).toEqual(['3:5 $.flags.a.state: must be "ENABLED" or "DISABLED", not missing'])
})

it.each([
  ['json', '{"flags": {"a": 1,}}', 1, 19],
  ['json', '{"flags": {', 1, 11],
  ['json', '', 1, 1],
  ['json', '{"flags": {}} x', 1, 15],
  ['yaml', 'flags:\n  a: [1\nb: 2\n', 3, 1],
  ['yaml', 'flags:\n\ta: 1\n', 2, 1],
  ['yaml', 'a: &x 1\na: 2\n', 2, 1],
] as const)('says where %s %j breaks', (format, text, line, column) => {
  expect(readFlagText(text, { format })).toMatchObject({ status: 'refused', issues: [{ line, column }] })
})

it('refuses a key that occurs twice, which JSON.parse accepts', () => {
  const text = '{"flags": {"use_streaming.kill": {}, "use_streaming.kill": {}}}'
  expect(readFlagText(text, { format: 'json' })).toMatchObject({
    status: 'refused',
    issues: [{ path: "$.flags['use_streaming.kill']", line: 1, column: 38 }],
  })
})

it.each([
  ['json', '['.repeat(200_000)],
  ['json', `{"flags":${'{"a":'.repeat(100_000)}`],
  ['yaml', '['.repeat(20_000)],
  [
    'yaml',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
      .join('\n')}\n`,
  ],
  ['yaml', '!!js/function "x"'],
  ['yaml', '--- 1\n--- 2\n'],
] as const)('refuses hostile %s', (format, text) => {
  expect(readFlagText(text, { format }).status).toBe('refused')
})

it('refuses a text over its limit without reading it', () => {
  expect(readFlagText(json, { format: 'json', maxLength: 10 })).toMatchObject({
    status: 'refused',
    issues: [{ message: 'is larger than 10 characters' }],
  })
})

it('never throws, whatever is removed, inserted or truncated', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('json' as const, 'yaml' as const),
      fc.nat(),
      fc.nat(40),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.boolean(),
      (format, at, length, insert, cut) => {
        const text = format === 'json' ? json : yaml
        const start = at % text.length
        const changed = text.slice(0, start) + insert + (cut ? '' : text.slice(start + length))
        const result = readFlagText(changed, { format })
        expect(result.status === 'read' || result.issues.length > 0).toBe(true)
        for (const { line = 1, column = 1 } of result.issues) expect(line > 0 && column > 0).toBe(true)
      },
    ),
    { numRuns: 600 },
  )
})

it('never accepts truncated JSON', () => {
  for (let end = 0; end < json.length; end++) {
    expect(readFlagText(json.slice(0, end), { format: 'json' }).status).toBe('refused')
  }
})
