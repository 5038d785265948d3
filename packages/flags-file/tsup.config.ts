import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', openfeature: 'src/openfeature.ts', bin: 'src/bin.ts' })
