export { createRolloutHandler, type RolloutHandlerOptions } from './handler.ts'
