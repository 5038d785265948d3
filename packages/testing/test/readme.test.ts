import { spawn } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { faultKinds, startClaude } from '../src/index.ts'

const root = join(import.meta.dirname, '..')
const readme = await readFile(join(root, 'README.md'), 'utf8')
const examples = await readdir(join(root, 'examples'))

test('the README shows the code of the examples', async () => {
  const shown = [...readme.matchAll(/<!-- examples\/(\S+) -->\n```ts\n([^]*?)```/g)]
  expect(new Set(shown.map((match) => match[1]))).toEqual(new Set(examples))
  expect(shown).toHaveLength(examples.length)
  for (const [, name = '', code] of shown) expect(code).toBe(await readFile(join(root, 'examples', name), 'utf8'))
  expect(readme.match(/```ts\n/g)).toHaveLength(examples.length)
})

test('the README describes every kind of fault', () => {
  for (const { kind, description } of faultKinds) expect(readme).toContain(`| \`${kind}\` | ${description} |`)
})

test('the JSON in the README is a fault plan and a script, as the server takes them', async () => {
  const [faults, script, ...more] = [...readme.matchAll(/```json\n([^]*?)```/g)].map(([, json = '']) =>
    JSON.parse(json),
  )
  expect(more).toEqual([])
  await using claude = await startClaude({ script, faults })
  expect(claude.requests).toEqual([])
})

test.each([
  [
    'scripted-server.ts',
    0,
    /^true tool_use\n\{ turn: 1, attempt: 1, status: 200, faults: \[ 'destroy@event:7' \] \}\n/,
  ],
  ['manual-clock.ts', 0, /^$/],
  ['grade-a-loop.ts', 1, /\nmine +60 +[\d.]+ /],
])('example %s runs', async (name, code, output) => {
  const child = spawn(process.execPath, ['--conditions=millrace-source', join(root, 'examples', name)])
  let out = ''
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (out += String(chunk)))
  const ended = await new Promise((resolve) => child.on('close', resolve))
  expect(out).toMatch(output)
  expect(ended).toBe(code)
})
