import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', stdio: 'src/stdio/index.ts' })
