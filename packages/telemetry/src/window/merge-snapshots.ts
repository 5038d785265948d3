import { MillraceError } from '@millrace/core'
import { addGroups, type Groups } from './group.ts'
import { fromSnapshotGroup, type TelemetrySnapshot, toSnapshotGroup } from './snapshot.ts'

/**
 * Adds what several instances counted: counts and histograms are sums, rates and quantiles are computed from them anew.
 *
 * @throws MillraceError `invalid_input` where there is none, or one of another version
 */
export function mergeSnapshots(snapshots: readonly TelemetrySnapshot[]): TelemetrySnapshot {
  if (snapshots.length === 0) throw new MillraceError('invalid_input', 'mergeSnapshots needs one snapshot at least')
  const groups: Groups = new Map()
  for (const [index, { version, groups: given }] of snapshots.entries()) {
    if (version !== 1) {
      throw new MillraceError('invalid_input', `mergeSnapshots: snapshots[${index}].version must be 1`, {
        path: `snapshots[${index}].version`,
      })
    }
    addGroups(groups, given.map(fromSnapshotGroup))
  }
  return {
    version: 1,
    from: Math.min(...snapshots.map(({ from }) => from)),
    to: Math.max(...snapshots.map(({ to }) => to)),
    active: snapshots.reduce((sum, { active }) => sum + active, 0),
    groups: Array.from(groups.values(), toSnapshotGroup),
  }
}
