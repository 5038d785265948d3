import type { Clock } from '@millrace/core'
import type { Observation } from '../observation.ts'
import { addGroups, countSeen, type Groups } from './group.ts'
import { type TelemetrySnapshot, toSnapshotGroup } from './snapshot.ts'

export interface WindowOptions {
  /** Length of the window in milliseconds. Default: 900,000 (15 minutes). */
  readonly length?: number
  /** Number of steps in which the window moves. Default: 60, of 15 seconds each. */
  readonly steps?: number
}

/** The numbers of this process. Its memory is bounded by the steps and by the label limits. */
export interface TelemetryWindow {
  /** Returns what happened in the last `length` milliseconds, accurate to one step. */
  readonly snapshot: () => TelemetrySnapshot
  /** Returns what has happened since telemetry was created. Counts only grow, so two readings can be subtracted. */
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

  /** Returns the current step. If the clock is set back, the latest step continues; if it is set back far, the window resets. */
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
