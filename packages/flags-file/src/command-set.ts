import { flagKeys, MillraceError } from '@millrace/core'
import type { FlagChange } from '@millrace/flags'
import { readFile } from 'node:fs/promises'
import { type CommandHost, type CommandOptions, formatFor, toolKey, UsageError } from './command-line.ts'
import { editFlagText } from './edit-text.ts'
import { writeFileWhole } from './write-file.ts'

/** Changes one flag of a file, which is made where it does not exist. */
export async function set(words: readonly string[], options: CommandOptions, host: CommandHost): Promise<number> {
  const [path, value, ...rest] = words
  if (path === undefined || value === undefined || rest.length > 0) throw new UsageError('set needs a file and a value')
  const format = formatFor(path, options.format)
  const { key, change } = readChange(value, options)
  const before = await readIfThere(path)
  const after = editFlagText(before ?? '', format, key, change)
  // The file may have been changed by somebody else while this was thought about.
  if ((await readIfThere(path)) !== before) {
    throw new MillraceError('conflict', 'the file was changed meanwhile: look at it, and try again')
  }
  await writeFileWhole(path, after, host.newId())
  host.out(`${path}: ${key} is set to ${value}`)
  return 0
}

function readChange(value: string, options: CommandOptions): { key: string; change: FlagChange } {
  const { tool = [], flag, include, exclude, unit, salt } = options
  if (tool.length > 1 || (tool.length === 1 && flag !== undefined)) {
    throw new UsageError('set changes one flag: give one --tool, or --flag')
  }
  const [name] = tool
  const kills = value === 'kill' || value === 'unkill'
  if (kills && Object.keys(options).some((option) => option !== 'format')) {
    throw new UsageError(`${value} is for everybody and everything: it takes no further options`)
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
  if (percent === undefined)
    throw new UsageError('the value must be on, off, kill, unkill, or a percentage such as 10%')
  return { percent: Number(percent) }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
