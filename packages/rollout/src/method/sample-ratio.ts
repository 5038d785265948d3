import { type Bet, type LogE, mixture } from './e-value.ts'

/** Factors by which the odds of streaming may be off, on either side. */
const odds = [0.5, 0.8, 1.25, 2]

/**
 * The evidence that units are not drawn with `share`: runs of one group are lost, counted twice, or drawn by another
 * rule. The comparison of the groups then means nothing.
 */
export function sampleRatioMismatch(
  units: { readonly streaming: number; readonly control: number },
  share: number,
): LogE {
  const bets = odds.map((factor): Bet => {
    const alternative = (factor * share) / (factor * share + 1 - share)
    return [Math.log(alternative / share), Math.log((1 - alternative) / (1 - share))]
  })
  return mixture(bets, units.streaming, units.control)
}
