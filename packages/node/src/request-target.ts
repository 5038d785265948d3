/** What the target of a request line names. */
export interface RequestTarget {
  /** The path and the query, as they were sent. */
  readonly path: string
  /** The authority of an absolute-form target, as a proxy is sent them. */
  readonly authority: string | undefined
}

/**
 * Takes the target of a request line apart, in its origin form (`/runs?x=1`) or absolute form (`http://host/runs?x=1`), RFC
 * 9112. Nothing but the target says what the path is.
 *
 * @throws TypeError for a target that the URL parser would turn into another path: what stood before this server and
 *   judged the path, such as a proxy, has seen the one that was sent
 */
export function readTarget(target: string): RequestTarget {
  const [, authority, rest = target] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  const path = rest.startsWith('/') ? rest : `/${rest}`
  const [bare = ''] = path.split('?', 1)
  const changes = /[\\#]/.test(bare) || bare.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))
  if (changes) throw new TypeError('the path of the request has dot segments, a backslash or a fragment')
  return { path, authority }
}

/** Whether `host` is a host and perhaps a port, and nothing else. */
export function isHost(host: string): boolean {
  return /^(?:\[[\da-f:.]+\]|[\w.~%!$&'()*+,;=-]+)(?::\d*)?$/i.test(host) && URL.canParse(`http://${host}`)
}
