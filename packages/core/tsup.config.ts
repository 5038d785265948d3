import { definePackage } from '@millrace/config/tsup'

export default definePackage({
  index: 'src/index.ts',
  conformance: 'src/stores/conformance/index.ts',
  journal: 'src/journal/index.ts',
  kit: 'src/kit/index.ts',
  'legacy-tool': 'src/adapt/legacy-tool.ts',
  memory: 'src/stores/memory.ts',
  presets: 'src/adapt/chat-preset.ts',
})
