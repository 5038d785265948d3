import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Shared by all scripted servers, so that each accepts what another one signed, as instances of the API do. It is not a
 * secret: a signature only proves that a client sent the block back unchanged.
 */
const key = 'millrace scripted claude'
const redactedPrefix = 'millrace-redacted.'

function mac(value: string): string {
  return createHmac('sha256', key).update(value).digest('base64')
}

function equal(left: string, right: string): boolean {
  const a = Buffer.from(left)
  const b = Buffer.from(right)
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Returns the signature of a thinking text. Equal texts have equal signatures. */
export function sign(thinkingText: string): string {
  return mac(`thinking:${thinkingText}`)
}

/** Whether `signature` is this package's signature of that thinking text. */
export function isSigned(thinkingText: string, signature: string): boolean {
  return equal(sign(thinkingText), signature)
}

/** Returns the opaque `data` of a redacted thinking block, which `isRedactedData` recognises. */
export function redactedData(seed: string): string {
  const payload = Buffer.from(seed).toString('base64url')
  return `${redactedPrefix}${payload}.${mac(`redacted:${payload}`)}`
}

/** Whether `data` was made by `redactedData` and is unchanged. */
export function isRedactedData(data: string): boolean {
  if (!data.startsWith(redactedPrefix)) return false
  const [payload = '', signature = ''] = data.slice(redactedPrefix.length).split('.')
  return equal(mac(`redacted:${payload}`), signature)
}
