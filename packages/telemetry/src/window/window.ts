import type { Clock } from '@millrace/core'
import type { Observation } from '../observation.ts'
import { addGroups, countSeen, type Groups } from './group.ts'
import { type TelemetrySnapshot, toSnapshotGroup } from './snapshot.ts'

export interface WindowOptions {
  /** Milliseconds that it looks back. Default: 900,000, a quarter of an hour. */
  readonly length?: number
  /** How many steps it moves in. Default: 60, of 15 seconds each. */
  readonly steps?: number
}

/** The numbers of this process, to read. What it holds is bounded by its steps and by the limits of labels. */
export interface TelemetryWindow {
  /** What happened in the last `length` milliseconds, to a step. */
  readonly snapshot: () => TelemetrySnapshot
  /** What has happened since telemetry was created. Counts only grow, so that two readings can be subtracted. */
  readonly totals: () => TelemetrySnapshot
}

export interface WritableWindow extends TelemetryWindow {
  take(seen: Observation): void
}

interface Step {
  readonly index: number
  readonly groups: Groups
}

export function createWindow(clock: Clock, { length = 900_000, steps = 60 }: WindowOptions): WritableWindow {
  const stepLength = length / steps
  const createdAt = clock.now()
  const all: Groups = new Map()
  let ring: (Step | undefined)[] = []
  let latest = 0
  let active = 0

  /** The step that it is now. A clock that is set back stays in the latest one; set back far, it begins anew. */
  function now(): number {
    const index = Math.floor(clock.now() / stepLength)
    if (index <= latest - steps) ring = []
    latest = index <= latest - steps ? index : Math.max(index, latest)
    return latest
  }

  function currentGroups(): Groups {
    const index = now()
    const place = index % steps
    const step = ring[place]
    if (step?.index === index) return step.groups
    const groups: Groups = new Map()
    ring[place] = { index, groups }
    return groups
  }

  function snapshotOf(from: number, groups: Groups): TelemetrySnapshot {
    return {
      version: 1,
      from: Math.max(createdAt, from),
      to: clock.now(),
      active,
      groups: Array.from(groups.values(), toSnapshotGroup),
    }
  }

  return {
    take(seen) {
      if (seen.type === 'run.started') active += 1
      if (seen.type === 'run.ended' || seen.type === 'run.lost') active -= 1
      countSeen(currentGroups(), seen)
      countSeen(all, seen)
    },
    snapshot() {
      const oldest = now() - steps + 1
      const sum: Groups = new Map()
      for (const step of ring) if (step !== undefined && step.index >= oldest) addGroups(sum, step.groups.values())
      return snapshotOf(oldest * stepLength, sum)
    },
    totals: () => snapshotOf(createdAt, all),
  }
}
