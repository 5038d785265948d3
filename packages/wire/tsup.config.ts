import { definePackage } from '@millrace/config/tsup'

export default definePackage({
  index: 'src/index.ts',
  'ui-message-stream': 'src/ui-message-stream/index.ts',
  'ag-ui': 'src/ag-ui/index.ts',
})
