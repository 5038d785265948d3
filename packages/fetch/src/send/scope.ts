import type { Fetch, MessagesRequest } from '../request/messages-request.ts'
import type { FetchSettings } from '../request/options.ts'

/** Sends a request that is made inside of a scope; undefined for one that the scope has nothing to do with. */
export type Scope = (settings: FetchSettings, request: MessagesRequest) => Promise<Response> | undefined

/** How each `fetch` finds the scope that a request is made in. Only runtimes with asynchronous scopes have one. */
const readers = new WeakMap<Fetch, () => Scope | undefined>()

const none = (): undefined => undefined

/** Lets scopes be bound to a `fetch`: those of `createFetch` and no other. */
export function openToScopes(fetch: Fetch): void {
  readers.set(fetch, none)
}

/** Makes `fetch` look for a scope at each request. Returns false for a `fetch` that `createFetch` has not made. */
export function bindScopes(fetch: Fetch, read: () => Scope | undefined): boolean {
  if (!readers.has(fetch)) return false
  readers.set(fetch, read)
  return true
}

/** Returns the scope that a request through `fetch` is made in. */
export function scopeOf(fetch: Fetch): Scope | undefined {
  return readers.get(fetch)?.()
}
