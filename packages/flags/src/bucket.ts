import { murmur3 } from './murmur3.ts'

/** The number of buckets that units are spread over: each is a thousandth of a percent. */
export const bucketCount = 100_000

/**
 * Returns the bucket of `unit` under `salt` by `murmur3-32/1`: an integer from 0 to 99,999, the same in every process and
 * every version. It does not depend on the percentage, so a larger percentage includes everyone of a smaller one.
 */
export function bucketOf(salt: string, unit: string): number {
  return Math.floor((murmur3(`${salt}.${unit}`) * bucketCount) / 2 ** 32)
}

/** Returns how many of the {@link bucketCount} buckets `percent` (0 to 100) covers. */
export function bucketsIn(percent: number): number {
  return Math.round((percent * bucketCount) / 100)
}
