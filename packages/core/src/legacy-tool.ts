export { type LegacyToolOptions, wrapLegacyTool } from './adapt/legacy-tool.ts'
