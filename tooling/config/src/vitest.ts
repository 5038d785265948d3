import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** Sends imports of our own packages to their source, so that a test never runs against a stale build. */
const conditions = ['millrace-source']

type TestOptions = NonNullable<ViteUserConfig['test']>

/** The vitest configuration that every package shares; `test` adds to it. Tests are never retried. */
export function defineTests(test: TestOptions = {}): ViteUserConfig {
  return defineConfig({
    resolve: { conditions: [...conditions, 'import', 'module', 'node', 'default'] },
    ssr: { resolve: { conditions: [...conditions, 'import', 'module', 'node', 'default'] } },
    test: {
      include: ['test/**/*.test.ts'],
      retry: 0,
      testTimeout: 30_000,
      typecheck: { enabled: false },
      ...test,
    },
  })
}
