/**
 * An e-value is a bet against a hypothesis. If the hypothesis is true, the expected value of the bet is at most 1 at
 * every moment, so the probability that it ever reaches 1/alpha is at most alpha (Ville's inequality). Looking often
 * costs nothing. All values here are natural logarithms, because products of thousands of factors overflow.
 */
export type LogE = number

/** One alternative of a mixture: the log of the factor for each kind of outcome. */
export type Bet = readonly [log: number, logOther: number]

/** The mean over `bets` of their products, for `count` outcomes of the first kind and `other` of the second. */
export function mixture(bets: readonly Bet[], count: number, other: number): LogE {
  const logs = bets.map(([log, logOther]) => times(count, log) + times(other, logOther))
  const largest = Math.max(...logs)
  if (largest === -Infinity) return -Infinity
  return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0) / logs.length)
}

/** 0 outcomes of a kind whose factor is 0 are no evidence: 0 times minus infinity is 0 here. */
function times(count: number, log: number): number {
  return count === 0 ? 0 : count * log
}
