import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, it } from 'vitest'

/** Declares a test or a group of tests. */
export type Declare = (name: string, body: () => void | Promise<void>) => void

/** Tests that need a program of the system. */
export interface ProgramTests {
  /** The path of the program; `undefined` if it is not installed. */
  path: string | undefined
  it: Declare
  describe: (name: string, body: () => void) => void
}

/** The test functions, replaced only to test this file. */
export interface ProgramOptions {
  env?: Record<string, string | undefined>
  api?: {
    it: Declare & { skip: (name: string) => void }
    describe: ((name: string, body: () => void) => void) & { skip: (name: string, body: () => void) => void }
  }
}

/**
 * Returns `it` and `describe` for tests that need `program` on the PATH.
 *
 * If it is missing, each test is skipped under a name that says why. Under `CI` a missing program throws, because CI would
 * otherwise skip the tests.
 */
export function requireProgram(program: string, options: ProgramOptions = {}): ProgramTests {
  const { env = process.env, api = { it, describe } } = options
  const path = findProgram(program, env['PATH'] ?? '')
  if (path !== undefined) return { path, it: api.it, describe: api.describe }
  if (env['CI']) throw new Error(`${program} is not installed: under CI the tests that need it must run, see .ci/run`)
  const reason = `(skipped: ${program} is not installed)`
  return {
    path,
    it: (name) => api.it.skip(`${name} ${reason}`),
    describe: (name, body) => api.describe.skip(`${name} ${reason}`, body),
  }
}

function findProgram(program: string, searched: string): string | undefined {
  return searched
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
