import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', conformance: 'src/conformance/index.ts' })
