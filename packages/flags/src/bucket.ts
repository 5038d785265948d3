import { murmur3 } from './murmur3.ts'

/** Buckets that units are spread over: a thousandth of a percent each. */
export const bucketCount = 100_000

/**
 * The bucket of `unit` under `salt`, by `murmur3-32/1`: an integer from 0 to 99,999, the same in every process and for
 * ever. It does not depend on the percentage, so that a larger percentage holds everyone of a smaller one.
 */
export function bucketOf(salt: string, unit: string): number {
  return Math.floor((murmur3(`${salt}.${unit}`) * bucketCount) / 2 ** 32)
}

/** How many of the {@link bucketCount} buckets `percent` (0 to 100) covers. */
export function bucketsIn(percent: number): number {
  return Math.round((percent * bucketCount) / 100)
}
