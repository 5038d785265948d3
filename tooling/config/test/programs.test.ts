import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { requireProgram } from '../src/programs.ts'

const bin = mkdtempSync(join(tmpdir(), 'programs-'))
writeFileSync(join(bin, 'wheel'), '#!/bin/sh\n')
chmodSync(join(bin, 'wheel'), 0o755)
writeFileSync(join(bin, 'not-executable'), '')
chmodSync(join(bin, 'not-executable'), 0o644)
mkdirSync(join(bin, 'a-folder'))
afterAll(() => rmSync(bin, { recursive: true }))

const PATH = `/nowhere:${bin}`

function recorder() {
  return { it: Object.assign(vi.fn(), { skip: vi.fn() }), describe: Object.assign(vi.fn(), { skip: vi.fn() }) }
}

it('runs the tests where the program is installed', () => {
  const api = recorder()
  const wheel = requireProgram('wheel', { env: { PATH, CI: 'true' }, api })
  const body = () => undefined
  wheel.it('turns', body)
  wheel.describe('a wheel', body)
  expect(wheel.path).toBe(join(bin, 'wheel'))
  expect(api.it).toHaveBeenCalledExactlyOnceWith('turns', body)
  expect(api.describe).toHaveBeenCalledExactlyOnceWith('a wheel', body)
  expect(api.it.skip).not.toHaveBeenCalled()
})

it.each(['gone', 'not-executable', 'a-folder'])('skips by name where it is missing: %s', (program) => {
  const api = recorder()
  const body = () => undefined
  const tests = requireProgram(program, { env: { PATH }, api })
  tests.it('turns', body)
  tests.describe('a wheel', body)
  expect(tests.path).toBeUndefined()
  expect(api.it.skip).toHaveBeenCalledExactlyOnceWith(`turns (skipped: ${program} is not installed)`)
  expect(api.describe.skip).toHaveBeenCalledExactlyOnceWith(`a wheel (skipped: ${program} is not installed)`, body)
  expect(api.it).not.toHaveBeenCalled()
  expect(api.describe).not.toHaveBeenCalled()
})

it('fails under CI where the program is missing', () => {
  expect(() => requireProgram('gone', { env: { PATH, CI: 'true' }, api: recorder() })).toThrow('gone is not installed')
  expect(() => requireProgram('gone', { env: { CI: 'true' }, api: recorder() })).toThrow('gone is not installed')
})
