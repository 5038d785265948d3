export { createFetch } from './create-fetch.ts'
export type { FetchEvent, FetchLimits, FetchOptions, RequestInfo } from './request/options.ts'
export type { Fetch, FetchInput } from './request/messages-request.ts'
