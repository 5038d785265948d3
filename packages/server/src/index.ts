export { createHandler, type Handler, type Mount } from './handler.ts'
export { isRoutePath, routePaths } from './http/routes.ts'
export { checkHandler, checkRun } from './operator/argument-checks.ts'
export type { ErrorInfo, OnError } from './operator/hooks.ts'
export type { Action, HandlerLimits, HandlerOptions, Identity } from './operator/options.ts'
export { createEncoder, type EncoderOptions, type StreamFormat } from './response/encoders.ts'
export type { DrainReport } from './run/live-runs.ts'
export type { RecoverReport } from './run/services.ts'
export {
  type DeletedUserData,
  deleteUserData,
  exportUserData,
  type UserData,
  type UserDataStores,
} from './session/user-data.ts'
export { runResponse, type RunResponseOptions } from './run-response.ts'
