import { describe, expect, it } from 'vitest'
import { conformanceCases } from './support/conformance-cases.ts'

describe.each(Object.entries(conformanceCases))('%s', (_name, cases) => {
  it.each(cases)('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
})
