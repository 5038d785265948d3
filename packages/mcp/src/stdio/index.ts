export { stdio, type StdioOptions } from './stdio.ts'
