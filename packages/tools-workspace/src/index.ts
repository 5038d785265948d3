export type { BashOptions, WorkspaceOptions } from './settings.ts'
export { workspaceTools } from './workspace-tools.ts'
