import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Agent } from '@millrace/core'
import { hasMethod, isRecord, nearest } from '@millrace/core/kit'
import { ParityError } from '../kit/errors.ts'
import { type Fetch, isMessagesPath } from '../record/recording-fetch.ts'
import type { MakeAgent } from '../request/compare-request.ts'

/**
 * Loads the agent that a module exports: an agent, or a function that makes one given a client. From here on this
 * process asks the Messages API only through the agent's `fetch`, so that an agent on a client of its own is caught as
 * well.
 *
 * Rejects with a ParityError `agent_failed` if the module cannot be loaded or exports no such thing.
 */
export async function loadAgent(module: string, name = 'default'): Promise<MakeAgent> {
  globalThis.fetch = redirected
  redirect(() => Promise.reject(new TypeError('the Messages API is not to be asked before the run')))
  // A client that is made without a key would fail before it asks.
  process.env['ANTHROPIC_API_KEY'] ||= 'replay'
  const exported = readExport(await importModule(module), module, name)
  if (isAgent(exported)) {
    return (_, fetch) => {
      redirect(fetch)
      return exported
    }
  }
  if (typeof exported !== 'function') {
    throw failed(`export "${name}" of ${module} must be an agent, or a function that makes one given a client`)
  }
  return async (client, fetch) => {
    redirect(fetch)
    const agent: unknown = await callExport(exported, client, fetch, name)
    if (isAgent(agent)) return agent
    throw failed(`export "${name}" of ${module} must return an agent`)
  }
}

async function importModule(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const loaded: unknown = await import(pathToFileURL(resolve(module)).href)
    return isRecord(loaded) ? loaded : {}
  } catch (cause) {
    throw failed(`${module} could not be loaded: ${messageOf(cause)}`, cause)
  }
}

function readExport(loaded: Readonly<Record<string, unknown>>, module: string, name: string): unknown {
  if (Object.hasOwn(loaded, name)) return loaded[name]
  const names = Object.keys(loaded).sort()
  const near = nearest(name, names)
  const hint =
    near === undefined ? `it has ${names.length === 0 ? 'none' : names.join(', ')}` : `did you mean "${near}"?`
  throw failed(`${module} has no export "${name}"; ${hint}`)
}

async function callExport(make: Function, client: unknown, fetch: Fetch, name: string): Promise<unknown> {
  try {
    return await Reflect.apply(make, undefined, [client, fetch])
  } catch (cause) {
    throw failed(`${name}() failed: ${messageOf(cause)}`, cause)
  }
}

function isAgent(value: unknown): value is Agent {
  return hasMethod(value, 'run')
}

const original: Fetch = globalThis.fetch

/**
 * Where requests to the Messages API go now. There is one per process, since a client keeps the fetch that it was made
 * with.
 */
let current: Fetch = original

/** Sends requests to the Messages API to `current`. All others go where they went. */
const redirected: Fetch = (input, init) => {
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  return isMessagesPath(pathname) ? current(input, init) : original(input, init)
}

function redirect(fetch: Fetch): void {
  current = fetch
}

function failed(message: string, cause?: unknown): ParityError {
  return new ParityError('agent_failed', message, cause === undefined ? {} : { cause })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
