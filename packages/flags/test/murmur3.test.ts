import * as fc from 'fast-check'
import murmur from 'murmurhash3js'
import { expect, it } from 'vitest'
import { murmur3 } from '../src/murmur3.ts'

/** The other implementation hashes one byte per character: it is given the bytes as such. */
const independent = (text: string, seed: number): number =>
  murmur.x86.hash32(String.fromCharCode(...new TextEncoder().encode(text)), seed)

it('agrees with the published vectors of MurmurHash3_x86_32', () => {
  expect(murmur3('', 0)).toBe(0)
  expect(murmur3('', 1)).toBe(0x514e28b7)
  expect(murmur3('', 0xffffffff)).toBe(0x81f16f39)
  expect(murmur3('\0\0\0\0', 0)).toBe(0x2362f9de)
  expect(murmur3('aaaa', 0x9747b28c)).toBe(0x5a97808a)
  expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba)
  expect(murmur3('ππππππππ', 0x9747b28c)).toBe(0xd58063c1)
  expect(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c)).toBe(0x2fa826cd)
})

it('agrees with an independent implementation on every string', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.nat(), (text, seed) => {
      expect(murmur3(text, seed)).toBe(independent(text, seed))
    }),
    { numRuns: 2000 },
  )
})

it('takes a lone surrogate for U+FFFD, as TextEncoder does', () => {
  for (const text of ['\ud800', 'a\udc00b', '\ud83d', '\udc00\ud800']) {
    expect(murmur3(text)).toBe(independent(text, 0))
  }
})
