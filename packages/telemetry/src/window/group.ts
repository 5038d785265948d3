import type { RunDecision } from '@millrace/core'
import type { Observation, ObservedRun } from '../observation.ts'
import { countedOutcome, isToolFailure } from '../observation.ts'
import { interrupted } from '../record-metrics.ts'
import { addHistogram, addValue, emptyHistogram, type Histogram } from './histogram.ts'

/** The counts of one arm and mode: a number per path of names, so that all counts are added in the same way. */
export interface GroupCounts {
  readonly arm: RunDecision['arm']
  readonly mode: RunDecision['mode']
  readonly counters: Map<string, number>
  readonly firstText: Histogram
  readonly total: Histogram
}

/** Groups by arm and mode. */
export type Groups = Map<string, GroupCounts>

/** Joins names of a path. No name has a NUL, which JSON must escape. */
const separator = '\u0000'

function emptyGroup({ arm, mode }: Pick<ObservedRun, 'arm' | 'mode'>): GroupCounts {
  return { arm, mode, counters: new Map(), firstText: emptyHistogram(), total: emptyHistogram() }
}

/** Returns the group of this arm and mode. Creates it if it is missing. */
function groupOf(groups: Groups, of: Pick<ObservedRun, 'arm' | 'mode'>): GroupCounts {
  const key = `${of.arm} ${of.mode}`
  const known = groups.get(key)
  if (known !== undefined) return known
  const made = emptyGroup(of)
  groups.set(key, made)
  return made
}

export function count({ counters }: Pick<GroupCounts, 'counters'>, path: readonly string[], by = 1): void {
  if (by === 0) return
  const key = path.join(separator)
  counters.set(key, (counters.get(key) ?? 0) + by)
}

/** Returns the counts below `head`, each with the rest of its path. */
export function* countsOf(
  { counters }: Pick<GroupCounts, 'counters'>,
  head: string,
): Generator<readonly [rest: readonly string[], count: number]> {
  for (const [key, value] of counters) {
    const [first, ...rest] = key.split(separator)
    if (first === head) yield [rest, value]
  }
}

/** Adds the counts of `from`, multiplied by `sign`. */
export function addGroups(into: Groups, from: Iterable<GroupCounts>, sign: 1 | -1 = 1): void {
  for (const group of from) {
    const sum = groupOf(into, group)
    for (const [key, value] of group.counters) {
      const total = (sum.counters.get(key) ?? 0) + sign * value
      if (total === 0) sum.counters.delete(key)
      else sum.counters.set(key, total)
    }
    addHistogram(sum.firstText, group.firstText, sign)
    addHistogram(sum.total, group.total, sign)
  }
}

/** Whether a run counts towards the success rate. */
export function isJudged(end: string): boolean {
  return end !== 'cancelled' && end !== 'taken_over'
}

/** Counts an observation in the group of its run. */
export function countSeen(groups: Groups, seen: Observation): void {
  const group = groupOf(groups, seen.run)
  switch (seen.type) {
    case 'run.ended': {
      const { end, rung, ms, firstTextMs, errorType } = seen
      count(group, ['runs', end, rung])
      if (errorType !== undefined) count(group, ['errors', 'run', errorType])
      if (firstTextMs !== undefined) addValue(group.firstText, firstTextMs)
      if (isJudged(end)) addValue(group.total, ms)
      return
    }
    case 'request.ended': {
      const { errorType, tokens } = seen
      const failed = errorType !== undefined && errorType !== interrupted
      count(group, ['requests', 'count'])
      if (errorType === interrupted) count(group, ['requests', 'interrupted'])
      if (failed) count(group, ['requests', 'failed'])
      if (failed) count(group, ['errors', 'request', errorType])
      for (const [kind, tokenCount] of Object.entries(tokens)) count(group, ['tokens', kind], tokenCount)
      return
    }
    case 'tool.ended': {
      const { tool } = seen
      const outcome = countedOutcome(seen)
      const failed = isToolFailure(outcome)
      count(group, ['tools', tool, failed || outcome === 'ok' ? 'calls' : 'cancelled'])
      if (failed) count(group, ['tools', tool, 'failed'])
      if (failed) count(group, ['errors', 'tool', outcome])
      return
    }
    case 'fallback':
      return count(group, ['fallbacks', seen.from, seen.to, seen.reason, seen.stage])
    case 'retraction':
      return count(group, ['retractions', seen.reason])
    case 'run.resumed':
      return count(group, ['resumes'])
    case 'run.started':
    case 'run.lost':
      return
  }
}
