/**
 * Returns MurmurHash3 (x86, 32 bits) of the UTF-8 bytes of `text`. A lone surrogate counts as U+FFFD, as in `TextEncoder`.
 * Reads the string in place, so that an evaluation allocates no memory for it.
 *
 * @returns an integer from 0 to 2^32 - 1
 */
export function murmur3(text: string, seed = 0): number {
  let hash = seed | 0
  let block = 0
  let shift = 0
  let length = 0
  for (let index = 0; index < text.length; index++) {
    const point = text.codePointAt(index) ?? 0
    if (point > 0xffff) index++
    // The bytes of one character, with the first in the lowest eight bits.
    let bytes = utf8(point)
    do {
      block |= (bytes & 0xff) << shift
      bytes >>>= 8
      shift += 8
      length++
      if (shift === 32) {
        hash = (Math.imul(rotate(hash ^ scramble(block), 13), 5) + 0xe6546b64) | 0
        block = 0
        shift = 0
      }
    } while (bytes !== 0)
  }
  if (shift > 0) hash ^= scramble(block)
  return finish(hash ^ length)
}

function utf8(point: number): number {
  if (point < 0x80) return point
  if (point < 0x800) return 0xc0 | (point >>> 6) | ((0x80 | (point & 0x3f)) << 8)
  if (point >= 0xd800 && point <= 0xdfff) return utf8(0xfffd)
  const last = 0x80 | (point & 0x3f)
  const third = 0x80 | ((point >>> 6) & 0x3f)
  if (point < 0x10000) return 0xe0 | (point >>> 12) | (third << 8) | (last << 16)
  return 0xf0 | (point >>> 18) | ((0x80 | ((point >>> 12) & 0x3f)) << 8) | (third << 16) | (last << 24)
}

function scramble(block: number): number {
  return Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function finish(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
