import { type Bet, type LogE, mixture } from './e-value.ts'

/** How many times `maxRatio` the failure rate may really be. Each is one bet. */
const ratios = [1.5, 2, 3, 5, 10]

/** Units that failed at least once in the stage. */
export interface FailureCounts {
  readonly streaming: number
  readonly control: number
}

/**
 * The evidence that units that stream fail more than `maxRatio` times as often as the control group.
 *
 * Units are drawn at random with `share`. If both groups fail alike, a unit that fails is one that streams with
 * probability `share`, whatever the failure rate is and however it changes: an outage that hits everyone hits both. With
 * a ratio r it is `r share / (r share + 1 - share)`.
 *
 * @param share of the drawn units, above 0 and below 1
 */
export function relativeHarm({ streaming, control }: FailureCounts, share: number, maxRatio: number): LogE {
  const base = shareOfFailures(maxRatio, share)
  const bets = ratios.map((times): Bet => {
    const alternative = shareOfFailures(times * maxRatio, share)
    return [Math.log(alternative / base), Math.log((1 - alternative) / (1 - base))]
  })
  return mixture(bets, streaming, control)
}

function shareOfFailures(ratio: number, share: number): number {
  return (ratio * share) / (ratio * share + 1 - share)
}
