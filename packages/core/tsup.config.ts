import { definePackage } from '@millrace/config/tsup'

export default definePackage({
  index: 'src/index.ts',
  journal: 'src/journal/index.ts',
  'legacy-tool': 'src/legacy-tool.ts',
  memory: 'src/memory.ts',
  presets: 'src/presets.ts',
  conformance: 'src/conformance/index.ts',
})
