import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', bin: 'src/bin.ts' })
