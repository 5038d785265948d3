import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { isLong } from './sized.ts'

// Node is given these too: with `import` or `module` among them, a `require` inside a dependency gets an ES module.
const conditions = ['node', 'default']

/** Milliseconds after which a test, a hook, a teardown or a poll that has not ended counts as hanging. */
export const patience = 120_000

type AnyTestOptions = NonNullable<ViteUserConfig['test']>

/** What a package may say of its tests. What makes a result trustworthy is the same for all, and not to be said. */
export type TestOptions = Omit<
  AnyTestOptions,
  'allowOnly' | 'bail' | 'dangerouslyIgnoreUnhandledErrors' | 'passWithNoTests' | 'reporters' | 'outputFile' | 'retry'
>

/** What a test sees of the packages of this repository. */
export interface ResolveOptions {
  /**
   * What an import of another package finds: its `source`, so that a test never runs against a stale build, or its
   * `build`, as a user does. The default is `source`; apps say `build`.
   */
  packages?: 'source' | 'build'
}

/**
 * The vitest configuration that every package shares; `test` adds to it.
 *
 * Tests are never retried, a suite without tests fails, and so does an unhandled rejection. Where the environment
 * variable `MILLRACE_TEST_RESULTS` names a folder, the results are written there as JSON too, one file a package and command.
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
      // These limits end what hangs. They are far above what is slow, so that a busy machine of two cores fails no test.
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
