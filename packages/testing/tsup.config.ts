import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', async: 'src/async.ts', bin: 'src/bin.ts' })
