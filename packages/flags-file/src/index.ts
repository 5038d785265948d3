export { fileFlags, type FileFlagsOptions } from './file-flags.ts'
