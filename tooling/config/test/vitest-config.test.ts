import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { sampled } from '../src/sized.ts'
import { defineTests, sizedTests } from '../src/vitest.ts'
import { listPackages, repositoryRoot } from '../src/workspace.ts'

it('packages find source, apps find what is built', () => {
  const ofPackage = defineTests()
  expect(ofPackage.resolve?.conditions?.[0]).toBe('millrace-source')
  expect(ofPackage.ssr?.resolve?.conditions?.[0]).toBe('millrace-source')
  const ofApp = defineTests({}, { packages: 'build' })
  expect(ofApp.resolve?.conditions).not.toContain('millrace-source')
  expect(ofApp.ssr?.resolve?.conditions).not.toContain('millrace-source')
})

it('a package adds what it needs', () => {
  expect(defineTests({ testTimeout: 1 }).test).toMatchObject({ testTimeout: 1, retry: 0 })
})

it('has test:long in exactly the packages that have sized tests', () => {
  const packages = listPackages()
  const withTests = packages.filter(({ dir }) => sizedTests(join(repositoryRoot, dir)).length > 0)
  const withScript = packages.filter(({ manifest }) => manifest.scripts?.['test:long'] !== undefined)
  expect(withScript.map(({ dir }) => dir)).toEqual(withTests.map(({ dir }) => dir))
  expect(withTests.length).toBeGreaterThan(0)
})

it('runs the sized tests alone, at full size, when MILLRACE_TESTS is long', async () => {
  expect(defineTests().test?.include).toEqual(['test/**/*.test.ts'])
  vi.stubEnv('MILLRACE_TESTS', 'long')
  vi.stubEnv('MILLRACE_TEST_RESULTS', '/results')
  vi.resetModules()
  onTestFinished(() => {
    vi.unstubAllEnvs()
    vi.resetModules()
  })
  const long = await import('../src/vitest.ts')
  const large = await import('../src/sized.ts')
  expect(large.sized({ quick: 1, long: 2 })).toBe(2)
  expect(large.sampled([1, 2, 3], 1)).toEqual([1, 2, 3])
  expect(long.defineTests().test).toMatchObject({
    include: [],
    reporters: ['default', ['json', { outputFile: '/results/tooling-config-long.json' }]],
  })
})

it('samples cases evenly, from the first on', () => {
  const cases = Array.from({ length: 10 }, (_, index) => index)
  expect(sampled(cases, 3)).toEqual([0, 4, 7])
  expect(sampled(cases, 1)).toEqual([0])
  expect(sampled(cases, 10)).toEqual(cases)
  expect(sampled(cases, 20)).toEqual(cases)
})
