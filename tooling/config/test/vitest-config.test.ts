import { expect, it } from 'vitest'
import { defineTests } from '../src/vitest.ts'

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
