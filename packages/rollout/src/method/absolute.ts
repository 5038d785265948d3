import { type Bet, type LogE, mixture } from './e-value.ts'

/** Shares of `max` that a healthy stage may really have. Each is one bet. */
const healthy = [0.02, 0.1, 0.3, 0.55]
/** Multiples of `max` that a harmful one may have. */
const harmful = [1.5, 2, 3, 5, 10]
/** No bet is on a share above this: it would lose everything on the first good unit. */
const largestShare = 0.95

/**
 * Observations of units that stream. Units may differ: if their shares are at most `max` on average, the product of their
 * factors is at most what equal shares would give, because a geometric mean is never above the arithmetic one.
 */
export interface Observations {
  readonly units: number
  readonly bad: number
}

/** The evidence that the share of bad units is below `max`: what a stage is promoted on. */
export function absolutePass({ units, bad }: Observations, max: number): LogE {
  return mixture(
    healthy.map((part) => bet(part * max, max)),
    bad,
    units - bad,
  )
}

/** The evidence that the share of bad units is above `max`: what a stage is rolled back on, without a control group. */
export function absoluteHarm({ units, bad }: Observations, max: number): LogE {
  const above = harmful.map((times) => Math.min(times * max, Math.max(largestShare, (1 + max) / 2)))
  return mixture(
    above.map((share) => bet(share, max)),
    bad,
    units - bad,
  )
}

function bet(share: number, max: number): Bet {
  return [Math.log(share / max), Math.log((1 - share) / (1 - max))]
}
