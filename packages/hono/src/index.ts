export { honoContext } from './hono-context.ts'
export { honoSession, type HonoSessionOptions } from './hono-session.ts'
export { millrace } from './millrace.ts'
export { streamRun, type StreamRunOptions } from './stream-run.ts'
