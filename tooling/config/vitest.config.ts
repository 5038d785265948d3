import { defineTests } from './src/vitest.ts'

export default defineTests()
