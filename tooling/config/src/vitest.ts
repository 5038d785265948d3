import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { isLong } from './sized.ts'

// Node gets these conditions too. With `import` or `module`, a `require` inside a dependency would get an ES module.
const conditions = ['node', 'default']

/** Milliseconds after which a test, a hook, a teardown or a poll that has not ended counts as hanging. */
export const patience = 120_000

type AnyTestOptions = NonNullable<ViteUserConfig['test']>

/** The test options that a package may set. The options that make results trustworthy are the same for all packages. */
export type TestOptions = Omit<
  AnyTestOptions,
  'allowOnly' | 'bail' | 'dangerouslyIgnoreUnhandledErrors' | 'passWithNoTests' | 'reporters' | 'outputFile' | 'retry'
>

/** How a test resolves the packages of this repository. */
export interface ResolveOptions {
  /**
   * Whether an import of another package resolves to its `source`, so that a test never runs against a stale build, or to its
   * `build`, as for a user. The default is `source`; apps use `build`.
   */
  packages?: 'source' | 'build'
}

/**
 * Returns the vitest configuration of a package; `test` adds to it.
 *
 * Tests are never retried. A suite without tests fails, and so does an unhandled rejection. If the environment variable
 * `MILLRACE_TEST_RESULTS` names a folder, the results are also written there as JSON, one file per package and command.
 */
export function defineTests(test: TestOptions = {}, { packages = 'source' }: ResolveOptions = {}): ViteUserConfig {
  const resolve = { conditions: packages === 'source' ? ['millrace-source', ...conditions] : conditions }
  const results = process.env['MILLRACE_TEST_RESULTS']
  return defineConfig({
    resolve,
    ssr: { resolve },
    test: {
      include: isLong ? sizedTests() : ['test/**/*.test.ts'],
      // The files of a package share a worker and its modules. In `core`, importing them again for each file took 73 of 181
      // seconds of CPU time. A test that changes what is global puts it back.
      isolate: false,
      // Two of turbo's tasks run at once; the last one would leave a core idle otherwise.
      maxWorkers: '100%',
      // These limits end tests that hang. They are far above slow tests, so that a busy machine fails no test.
      testTimeout: patience,
      hookTimeout: patience,
      teardownTimeout: patience,
      expect: { poll: { timeout: patience } },
      typecheck: { enabled: false },
      ...test,
      allowOnly: false,
      bail: 0,
      dangerouslyIgnoreUnhandledErrors: false,
      passWithNoTests: false,
      retry: 0,
      reporters: results ? ['default', ['json', { outputFile: resultsFile(results) }]] : ['default'],
    },
  })
}

/** Returns the file for the results of this package: `packages-core.json`. Vitest runs in the folder of the package. */
function resultsFile(folder: string): string {
  const name = `${basename(dirname(process.cwd()))}-${basename(process.cwd())}`
  return join(folder, `${name}${isLong ? '-long' : ''}.json`)
}

/** Returns the test files in `dir` that import `sized`, relative to it. `pnpm test:long` runs these. */
export function sizedTests(dir: string = process.cwd()): string[] {
  const folder = join(dir, 'test')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => readFileSync(join(folder, path), 'utf8').includes("from '@millrace/config/sized'"))
    .map((path) => `test/${path}`)
}
