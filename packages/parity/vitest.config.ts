import { defineTests } from '@millrace/config/vitest'

export default defineTests({ globalSetup: ['test/support/build-bin.ts'] })
