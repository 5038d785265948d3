/** The target of a request line. */
export interface RequestTarget {
  /** The path and the query, unchanged. */
  readonly path: string
  /** The authority of an absolute-form target, as clients send it to a proxy. */
  readonly authority: string | undefined
}

/**
 * Parses the target of a request line, in origin form (`/runs?x=1`) or absolute form (`http://host/runs?x=1`), RFC 9112. Only
 * the target decides the path.
 *
 * @throws TypeError for a target that the URL parser would turn into another path, because a proxy in front of this server
 *   has judged the original one
 */
export function readTarget(target: string): RequestTarget {
  const [, authority, rest = target] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  const path = rest.startsWith('/') ? rest : `/${rest}`
  const [bare = ''] = path.split('?', 1)
  const changes = /[\\#]/.test(bare) || bare.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))
  if (changes) throw new TypeError('the path of the request has dot segments, a backslash or a fragment')
  return { path, authority }
}

/** Whether `host` is a host with an optional port. */
export function isHost(host: string): boolean {
  return /^(?:\[[\da-f:.]+\]|[\w.~%!$&'()*+,;=-]+)(?::\d*)?$/i.test(host) && URL.canParse(`http://${host}`)
}
