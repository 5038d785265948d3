import { definePackage } from '@millrace/config/tsup'

export default definePackage()
