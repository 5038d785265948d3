import type { Clock } from '@millrace/core'
import { aBoolean, aClock, aCount, aDelay, aDuration, anId, checkOptions, oneOf, type Rule } from '@millrace/core/kit'
import {
  aTargetingEngine,
  backgroundClock,
  createFlagHolder,
  type LocalFlagSource,
  type TargetingEngine,
} from '@millrace/flags'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { type FileFollower, followFile, type FollowFileOptions } from './follow-file.ts'
import { formatOf } from './format-of.ts'
import { watchFolders } from './watch-folders.ts'

export interface FileFlagsOptions {
  /** The file. It need not exist yet. */
  readonly path: string
  /** Default: by the path's ending, `.json`, `.yaml` or `.yml`. */
  readonly format?: FlagTextFormat
  /** Shown in descriptions and errors, which never contain the path. Default: `file`. */
  readonly name?: string
  /** Whether the file system's notifications are used, so that a change is seen within 2 s. Default: true. */
  readonly watch?: boolean
  /** Milliseconds between checks of the file, besides or instead of notifications. Default: 15,000. */
  readonly poll?: number
  /** Milliseconds that a changed file must stay unchanged before it is used. Default: 200. */
  readonly settle?: number
  /** Milliseconds without a successful check after which the flags are stale. Default: 60,000. */
  readonly maxAge?: number
  /** Larger files are refused. Default: 1,048,576. */
  readonly maxBytes?: number
  /** For flags with flagd `targeting`: `flagdTargeting()` of `@millrace/flags/flagd`. */
  readonly targeting?: TargetingEngine
  readonly clock?: Clock
}

const fileFlagsRules: Readonly<Record<keyof FileFlagsOptions, Rule>> = {
  path: anId,
  format: oneOf('json', 'yaml'),
  name: anId,
  watch: aBoolean,
  poll: aDelay(),
  settle: aDelay(),
  maxAge: aDuration,
  maxBytes: aCount(1),
  targeting: aTargetingEngine,
  clock: aClock,
}

/**
 * Makes a source of flags in a file that is reloaded when it changes. A file that is missing, unreadable, emptied, or lacks a
 * flag in use is refused, and the last good one stays in force. A flag that is invalid keeps its last valid definition.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function fileFlags(options: FileFlagsOptions): LocalFlagSource {
  checkOptions(options, '', fileFlagsRules)
  fileFlagsRules.path(options.path, 'path')
  const { watch = true } = options
  return followFlags(options, watch ? watchFolders : undefined).source
}

/** Makes {@link fileFlags} with a given watch, and returns its follower too. */
export function followFlags(
  options: FileFlagsOptions,
  watch: FollowFileOptions['watch'],
): { readonly source: LocalFlagSource; readonly follower: FileFollower } {
  const { path, name = 'file', poll = 15_000, settle = 200, maxAge = 60_000, maxBytes = 1_048_576 } = options
  const { format = formatOf(path), targeting, clock = backgroundClock } = options
  const holder = createFlagHolder({
    name,
    clock,
    maxAge,
    ...(targeting !== undefined && { targeting }),
    stop: () => follower.close(),
  })
  let accepted: string | undefined
  const follower = followFile({
    path,
    clock,
    poll,
    settle,
    maxBytes,
    watch,
    onReading(reading) {
      if (reading.status === 'problem') return holder.fail('unreachable', `the file: ${reading.message}`)
      if (reading.text === accepted) return holder.confirm()
      accepted = undefined
      const read = readFlagText(reading.text, { format, maxLength: maxBytes })
      if (read.status === 'refused') return holder.fail('invalid', 'the file is invalid', read.issues)
      if (holder.accept(read) === undefined) accepted = reading.text
    },
  })
  return { source: holder.source, follower }
}
