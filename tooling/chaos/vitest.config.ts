import { defineTests } from '@millrace/config/vitest'

export default defineTests()
