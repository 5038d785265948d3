import { definePackage } from '@millrace/config/tsup'

export default definePackage({ index: 'src/index.ts', prometheus: 'src/prometheus/index.ts' })
