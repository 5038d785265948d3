import { basename, dirname, join } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

// Node is given these too: with `import` or `module` among them, a `require` inside a dependency gets an ES module.
const conditions = ['node', 'default']

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
 * variable `MILLRACE_TEST_RESULTS` names a folder, the results are written there as JSON too, one file a package.
 */
export function defineTests(test: TestOptions = {}, { packages = 'source' }: ResolveOptions = {}): ViteUserConfig {
  const resolve = { conditions: packages === 'source' ? ['millrace-source', ...conditions] : conditions }
  const results = process.env['MILLRACE_TEST_RESULTS']
  return defineConfig({
    resolve,
    ssr: { resolve },
    test: {
      include: ['test/**/*.test.ts'],
      // For what hangs, not for what is slow: a loaded machine of two cores must not fail a test.
      testTimeout: 120_000,
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

/** `packages/core` becomes `packages-core.json`. Vitest runs in the folder of the package. */
function resultsFile(folder: string): string {
  return join(folder, `${basename(dirname(process.cwd()))}-${basename(process.cwd())}.json`)
}
