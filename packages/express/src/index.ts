export { expressSession, type ExpressSessionOptions } from './express-session.ts'
export { type Middleware, millrace } from './millrace.ts'
export { streamRun, type StreamRunOptions } from './stream-run.ts'
