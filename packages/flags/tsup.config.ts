import { definePackage } from '@millrace/config/tsup'

export default definePackage({
  index: 'src/index.ts',
  text: 'src/text.ts',
  flagd: 'src/flagd.ts',
  options: 'src/options.ts',
  openfeature: 'src/openfeature.ts',
})
