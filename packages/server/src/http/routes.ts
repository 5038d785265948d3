import { ProblemError } from './problem.ts'

/** What a request asks for, by its method and path. */
export type Route =
  | { readonly name: 'start'; readonly protocol: 'native' | 'ui-message-stream' | 'ag-ui' }
  | { readonly name: 'follow'; readonly runId: string }
  | { readonly name: 'snapshot'; readonly runId: string }
  | { readonly name: 'cancel'; readonly runId: string }
  | { readonly name: 'resume-chat'; readonly chatId: string }
  | { readonly name: 'session'; readonly sessionId: string }
  | { readonly name: 'list-runs' }
  | { readonly name: 'health' }

type Method = 'GET' | 'POST'

interface Pattern {
  readonly method: Method
  readonly path: RegExp
  readonly route: (id: string) => Route
}

const patterns: readonly Pattern[] = [
  { method: 'POST', path: /^\/runs$/, route: () => ({ name: 'start', protocol: 'native' }) },
  { method: 'POST', path: /^\/ui-message-stream$/, route: () => ({ name: 'start', protocol: 'ui-message-stream' }) },
  { method: 'POST', path: /^\/ag-ui$/, route: () => ({ name: 'start', protocol: 'ag-ui' }) },
  { method: 'GET', path: /^\/runs\/([^/]+)\/events$/, route: (runId) => ({ name: 'follow', runId }) },
  { method: 'POST', path: /^\/runs\/([^/]+)\/cancel$/, route: (runId) => ({ name: 'cancel', runId }) },
  { method: 'GET', path: /^\/runs\/([^/]+)$/, route: (runId) => ({ name: 'snapshot', runId }) },
  {
    method: 'GET',
    path: /^\/ui-message-stream\/([^/]+)\/stream$/,
    route: (chatId) => ({ name: 'resume-chat', chatId }),
  },
  { method: 'GET', path: /^\/sessions\/([^/]+)$/, route: (sessionId) => ({ name: 'session', sessionId }) },
  { method: 'GET', path: /^\/runs$/, route: () => ({ name: 'list-runs' }) },
  { method: 'GET', path: /^\/health$/, route: () => ({ name: 'health' }) },
]

/** Ids are kept and compared, and none of ours is longer. */
const maxIdChars = 256

/** @throws ProblemError `not_found`, `method_not_allowed` */
export function findRoute(method: string, pathname: string, basePath: string): Route {
  if (!pathname.startsWith(basePath)) throw notFound()
  const path = pathname.slice(basePath.length).replace(/\/$/, '')
  const here = patterns.flatMap((pattern) => {
    const match = pattern.path.exec(path)
    return match ? [{ ...pattern, id: decodeId(match[1]) }] : []
  })
  const wanted = method === 'HEAD' ? 'GET' : method
  const found = here.find((pattern) => pattern.method === wanted)
  if (found) return found.route(found.id)
  if (here.length === 0) throw notFound()
  const allow = here.map((pattern) => (pattern.method === 'GET' ? 'GET, HEAD' : pattern.method)).join(', ')
  throw new ProblemError('method_not_allowed', `Use ${allow}`, { headers: { allow } })
}

function decodeId(encoded = ''): string {
  let id: string
  try {
    id = decodeURIComponent(encoded)
  } catch {
    throw notFound()
  }
  if (id.length > maxIdChars) throw notFound()
  return id
}

export function notFound(detail = 'There is nothing here'): ProblemError {
  return new ProblemError('not_found', detail)
}

/** The paths that the handler answers, in the notation that routers share; for adapters. */
export const routePaths: readonly string[] = [
  '/runs',
  '/runs/:runId',
  '/runs/:runId/events',
  '/runs/:runId/cancel',
  '/ui-message-stream',
  '/ui-message-stream/:chatId/stream',
  '/ag-ui',
  '/sessions/:sessionId',
  '/health',
]

/** Whether a path, without the one that the handler is mounted under, is the handler's to answer, if only with an error. */
export function isRoutePath(path: string): boolean {
  const bare = path.replace(/\/$/, '')
  return patterns.some((pattern) => pattern.path.test(bare))
}
