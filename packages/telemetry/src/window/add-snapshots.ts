import { MillraceError } from '@millrace/core'
import { addGroups, type Groups } from './group.ts'
import { fromSnapshotGroup, type SnapshotGroup, type TelemetrySnapshot, toSnapshotGroup } from './snapshot.ts'

/**
 * Adds the snapshots of several instances: sums counts and histograms, and computes rates and quantiles from the sums.
 *
 * @throws MillraceError `invalid_input` without a snapshot, or for one of another version
 */
export function mergeSnapshots(snapshots: readonly TelemetrySnapshot[]): TelemetrySnapshot {
  if (snapshots.length === 0) throw new MillraceError('invalid_input', 'mergeSnapshots needs at least one snapshot')
  for (const [index, snapshot] of snapshots.entries()) checkVersion(snapshot, `snapshots[${index}]`)
  const groups: Groups = new Map()
  for (const snapshot of snapshots) addGroups(groups, snapshot.groups.map(fromSnapshotGroup))
  return {
    version: 1,
    from: Math.min(...snapshots.map(({ from }) => from)),
    to: Math.max(...snapshots.map(({ to }) => to)),
    active: snapshots.reduce((sum, { active }) => sum + active, 0),
    groups: toGroups(groups),
  }
}

/**
 * Returns what happened between two readings of one `totals()`, or of the merged readings of the same instances. For example,
 * since a stage of a rollout started.
 *
 * @throws MillraceError `invalid_input` for a snapshot of another version
 */
export function subtractSnapshots(later: TelemetrySnapshot, earlier: TelemetrySnapshot): TelemetrySnapshot {
  checkVersion(later, 'later')
  checkVersion(earlier, 'earlier')
  const groups: Groups = new Map()
  addGroups(groups, later.groups.map(fromSnapshotGroup))
  addGroups(groups, earlier.groups.map(fromSnapshotGroup), -1)
  return { version: 1, from: earlier.to, to: later.to, active: later.active, groups: toGroups(groups) }
}

function toGroups(groups: Groups): readonly SnapshotGroup[] {
  return Array.from(groups.values(), toSnapshotGroup)
}

function checkVersion({ version }: { readonly version: number }, path: string): void {
  if (version === 1) return
  throw new MillraceError('invalid_input', `${path}.version must be 1`, { path: `${path}.version` })
}
