import { flagKeys, MillraceError } from '@millrace/core'
import type { FlagChange } from '@millrace/flags'
import {
  allowOptions,
  type CommandHost,
  type CommandOptions,
  formatFor,
  formatPlace,
  loadTextIfThere,
  toolKey,
  UsageError,
} from './command-line.ts'
import { editFlagText } from './edit-text.ts'
import { writeFileWhole } from './write-file.ts'

const setOptions = ['tool', 'flag', 'include', 'exclude', 'unit', 'salt'] as const

/** Changes one flag of a file. Creates the flag, and the file, if it does not exist. */
export async function set(words: readonly string[], options: CommandOptions, host: CommandHost): Promise<number> {
  allowOptions('set', options, setOptions)
  const [path, value, ...rest] = words
  if (path === undefined || value === undefined || rest.length > 0) throw new UsageError('set needs a file and a value')
  const format = formatFor(path, options.format)
  const { key, change } = readChange(value, options)
  const before = await loadTextIfThere(path)
  const { text, others } = editFlagText(before ?? '', format, key, change)
  // Somebody else may have changed the file since it was read.
  if ((await loadTextIfThere(path)) !== before) {
    throw new MillraceError('conflict', `"${path}" was changed by somebody else meanwhile: look at it, and try again`)
  }
  await writeFileWhole(path, text, host.newId())
  for (const issue of others) host.err(formatPlace(path, issue))
  host.out(`${path}: ${key} is set to ${describeValue(value)}`)
  return 0
}

function readChange(value: string, options: CommandOptions): { key: string; change: FlagChange } {
  const { tool = [], flag, include, exclude, unit, salt } = options
  if (tool.length > 1 || (tool.length === 1 && flag !== undefined)) {
    throw new UsageError('set changes one flag: give one --tool, or --flag')
  }
  const [name] = tool
  const kills = value === 'kill' || value === 'unkill'
  const extra = kills ? setOptions.find((option) => options[option] !== undefined) : undefined
  if (extra !== undefined) {
    throw new UsageError(`${value} applies to every user and tool and takes no further options: leave out "--${extra}"`)
  }
  const key = kills ? flagKeys.kill : name === undefined ? (flag ?? flagKeys.streaming) : toolKey(name)
  return {
    key,
    change: {
      ...readValue(value),
      ...(include !== undefined && { include }),
      ...(exclude !== undefined && { exclude }),
      ...(unit !== undefined && { unit }),
      ...(salt !== undefined && { salt }),
    },
  }
}

function readValue(value: string): FlagChange {
  if (value === 'on' || value === 'kill') return { serve: 'on' }
  if (value === 'off' || value === 'unkill') return { serve: 'off' }
  const [, percent] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(value) ?? []
  if (percent === undefined) {
    throw new UsageError(`unknown value "${value}"; expected on, off, kill, unkill, or a percentage such as 10%`)
  }
  return { percent: Number(percent) }
}

function describeValue(value: string): string {
  if (value === 'kill') return 'on: no run streams'
  return value === 'unkill' ? 'off' : value
}
