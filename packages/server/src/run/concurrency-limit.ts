import { ProblemError } from './problem.ts'

/** Counts what is under way, in all and for each user. */
export interface Places {
  readonly taken: number
  /** @returns gives the place back; calling it again does nothing. @throws ProblemError `too_many_runs` */
  take(owner: string | undefined): () => void
}

export interface PlacesOptions {
  readonly total: number
  /** Does not hold for requests without a user: of them nobody knows who they are. */
  readonly perUser: number
  /** What there are too many of, for the problem's detail. */
  readonly what: string
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number
}

export function createPlaces({ total, perUser, what, retryAfter }: PlacesOptions): Places {
  const byOwner = new Map<string, number>()
  let taken = 0
  return {
    get taken() {
      return taken
    },
    take(owner) {
      const own = owner === undefined ? 0 : (byOwner.get(owner) ?? 0)
      if (own >= perUser) throw new ProblemError('too_many_runs', `You have too many ${what}`, { retryAfter })
      if (taken >= total) throw new ProblemError('too_many_runs', `There are too many ${what}`, { retryAfter })
      taken++
      if (owner !== undefined) byOwner.set(owner, own + 1)
      let isGiven = false
      return () => {
        if (isGiven) return
        isGiven = true
        taken--
        if (owner === undefined) return
        const left = (byOwner.get(owner) ?? 1) - 1
        if (left === 0) byOwner.delete(owner)
        else byOwner.set(owner, left)
      }
    },
  }
}
