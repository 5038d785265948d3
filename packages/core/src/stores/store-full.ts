import { MillraceError } from '../kit/errors.ts'

/** A memory store was asked to hold more than its limit, and there is nothing that it may forget. */
export function storeFull(option: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the memory store is full: ${option} is ${limit}`, { path: option })
}
