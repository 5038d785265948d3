import { mediaTypes } from '@millrace/wire'
import { ProblemError } from './problem.ts'

/** Returns the media type of a request's body, without parameters; undefined without one. */
export function contentType(headers: Headers): string | undefined {
  return headers.get('content-type')?.split(';', 1).join('').trim().toLowerCase()
}

/**
 * Refuses a request that a page of another site may have sent with a visitor's cookies (CSRF). A page needs the server's
 * consent (CORS) to send JSON. Without a content type, the request must show that it is not such a page's: by
 * `Sec-Fetch-Site`, or by having nothing that a browser adds.
 *
 * @throws ProblemError `unsupported_media_type`
 */
export function refuseCrossSite({ headers }: Request): void {
  const type = contentType(headers)
  if (type === mediaTypes.json) return
  const site = headers.get('sec-fetch-site')
  const isOwnPage = site === 'same-origin' || site === 'none'
  const isBrowser = site !== null || headers.has('origin') || headers.has('cookie')
  if (type === undefined && (isOwnPage || !isBrowser)) return
  throw new ProblemError('unsupported_media_type', `Send the header \`content-type: ${mediaTypes.json}\``)
}
