import { ProblemError } from '../http/problem.ts'
import type { Caller } from '../operator/caller.ts'

/** Limits what is under way at once: in all, for each user, and for each address without a user. */
export interface ConcurrencyLimit {
  /** @returns ends what was begun; calling it again does nothing. @throws ProblemError `too_many_runs` */
  begin(caller: Pick<Caller, 'owner' | 'address'>): () => void
  /** How many are under way. */
  readonly size: number
  /** How many were refused so far. */
  readonly refused: number
}

export interface ConcurrencyLimitOptions {
  readonly total: number
  readonly perUser: number
  readonly perAddress: number
  /** What there are too many of, for the problem's detail. */
  readonly what: string
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number
}

export function createConcurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  const { total, perUser, perAddress, what, retryAfter } = options
  const underWay = new Map<string, number>()
  let sum = 0
  let refused = 0

  function refuse(detail: string): never {
    refused++
    throw new ProblemError('too_many_runs', detail, { retryAfter })
  }

  return {
    get size() {
      return sum
    },
    get refused() {
      return refused
    },
    begin({ owner, address }) {
      const key = owner === undefined ? address && `address ${address}` : `user ${owner}`
      const own = key === undefined ? 0 : (underWay.get(key) ?? 0)
      const most = owner === undefined ? perAddress : perUser
      if (own >= most) refuse(`You have too many ${what}`)
      if (sum >= total) refuse(`There are too many ${what}`)
      sum++
      if (key !== undefined) underWay.set(key, own + 1)
      let hasEnded = false
      return () => {
        if (hasEnded) return
        hasEnded = true
        sum--
        if (key === undefined) return
        const left = (underWay.get(key) ?? 1) - 1
        if (left === 0) underWay.delete(key)
        else underWay.set(key, left)
      }
    },
  }
}
