import { expect, it } from 'vitest'
import { placeholder } from '@millrace/testing'
it('x', () => { expect(placeholder).toBe('testing') })
