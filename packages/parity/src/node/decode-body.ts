import type { DecodedBody } from '../record/open-exchange.ts'
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'

/** The content encodings that can be recorded. A client's `accept-encoding` is cut down to them. */
const knownEncodings: readonly string[] = ['gzip', 'deflate', 'br', 'identity']

/**
 * Undoes a content encoding, as far as the bytes go: an answer that was cut may lack only its end. Returns `too_large`
 * if more than `limit` bytes come out, and `unreadable` if the encoding is unknown or the bytes do not have it.
 */
export function decodeBody(bytes: Uint8Array, encoding: string | undefined, limit: number): DecodedBody {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: limit }
  try {
    switch (encoding?.trim().toLowerCase() ?? '') {
      case '':
      case 'identity':
        return bytes
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(bytes, options)
      case 'deflate':
        return inflateSync(bytes, options)
      case 'br':
        return brotliDecompressSync(bytes, {
          finishFlush: constants.BROTLI_OPERATION_FLUSH,
          maxOutputLength: limit,
        })
      default:
        return 'unreadable'
    }
  } catch (error) {
    const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLarge ? 'too_large' : 'unreadable'
  }
}

/** Returns the `accept-encoding` that is sent to the upstream. */
export function acceptable(encodings: string | undefined): string {
  const taken = (encodings ?? '').split(',').filter((part) => knownEncodings.includes(part.split(';')[0]?.trim() ?? ''))
  return taken.length === 0 ? 'identity' : taken.map((part) => part.trim()).join(', ')
}
