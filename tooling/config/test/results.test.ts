import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { formatTotals, sumResults } from '../src/sum-results.ts'

const config = `import { defineTests } from '../../src/vitest.ts'\nexport default defineTests()\n`

/** Runs vitest on test files of its own, inside this package so that vitest is found. */
async function runVitest(files: Record<string, string>) {
  const folder = mkdtempSync(join(import.meta.dirname, 'run-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const results = join(folder, 'results')
  mkdirSync(results)
  mkdirSync(join(folder, 'test'))
  writeFileSync(join(folder, 'vitest.config.ts'), config)
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, 'test', name), `import { expect, it } from 'vitest'\n${text}\n`)
  }
  const code = await new Promise<number>((resolve) => {
    const env = { ...process.env, MILLRACE_TEST_RESULTS: results }
    const child = execFile('vitest', ['run'], { cwd: folder, env }, () => resolve(child.exitCode ?? 1))
  })
  return { code, results }
}

it('adds up what vitest wrote', async () => {
  const { code, results } = await runVitest({
    'a.test.ts': `it('passes', () => expect(1).toBe(1))\nit.skip('is skipped', () => {})\nit.todo('is planned')`,
    'b.test.ts': `it('passes', () => expect(1).toBe(1))\nit('fails', () => expect(1).toBe(2))`,
    'c.test.ts': `throw new Error('cannot be loaded')`,
  })
  expect(code).toBe(1)
  expect(sumResults(results)).toEqual({ passed: 2, failed: 2, skipped: 2 })
})

it.each([
  ['a suite without tests', {}],
  ['a file without tests', { 'a.test.ts': '' }],
  ['an unhandled rejection', { 'a.test.ts': `it('passes', () => { void Promise.reject(new Error('lost')) })` }],
  ['a test marked as the only one', { 'a.test.ts': `it.only('passes', () => expect(1).toBe(1))` }],
  ['a test that would pass at the second try', { 'a.test.ts': `let n = 0\nit('x', () => expect(n++).toBe(1))` }],
])('%s fails the run', async (_, files) => {
  expect((await runVitest(files)).code).toBe(1)
})

it('a file that is no result is an error, not a zero', () => {
  const folder = mkdtempSync(join(import.meta.dirname, 'run-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'a.json'), readFileSync(join(import.meta.dirname, '../package.json')))
  expect(() => sumResults(folder)).toThrow('a.json is not a vitest result')
})

it('formats the line that CI ends with', () => {
  expect(formatTotals({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed')
  expect(formatTotals({ passed: 12, failed: 1, skipped: 3 })).toBe('12 passed, 1 failed, 3 skipped')
})
