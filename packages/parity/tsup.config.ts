import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', node: 'src/node.ts', bin: 'src/bin.ts' })
