import { flagKeys } from '@millrace/core'
import { changeFlag, changeKill, type FlagDocument, type FlagIssue, flagIssue, type FlagSegment } from '@millrace/flags'

/** The variables as a flag document, and what is wrong with them. */
export interface EnvironmentReading {
  readonly document: FlagDocument
  readonly issues: readonly FlagIssue[]
}

/** Reads the variables whose names begin with `prefix`. Issues never repeat a value, which may be a pasted secret. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, prefix: string): EnvironmentReading {
  const issues: FlagIssue[] = []
  const read = (suffix: string): Variable => {
    const name = `${prefix}${suffix}`
    const text = env[name]?.trim()
    return {
      // Compose files and charts write a variable that is not set as an empty one.
      text: text === '' ? undefined : text,
      refuse: (message) => void issues.push(flagIssue('error', [name], message)),
    }
  }
  let document: FlagDocument = { flags: {} }
  document = readKill(document, read('_KILL'))
  document = readStreaming(document, read(''), readInternal(read('_INTERNAL')))
  document = readTools(document, read('_TOOLS'))
  for (const name of Object.keys(env)) {
    if (!name.startsWith(`${prefix}_`) || suffixes.includes(name.slice(prefix.length))) continue
    const known = ['', ...suffixes].map((suffix) => `${prefix}${suffix}`)
    issues.push(flagIssue('warning', [name], `is unknown; expected one of ${known.join(', ')}`))
  }
  return { document, issues }
}

interface Variable {
  /** Undefined if it is not set. */
  readonly text: string | undefined
  readonly refuse: (message: string) => void
}

const suffixes = ['_KILL', '_TOOLS', '_INTERNAL']

const words: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  y: true,
  '1': true,
  enable: true,
  enabled: true,
  off: false,
  false: false,
  no: false,
  n: false,
  '0': false,
  disable: false,
  disabled: false,
}

function readSwitch(text: string): boolean | undefined {
  const word = text.toLowerCase()
  return Object.hasOwn(words, word) ? words[word] : undefined
}

function readKill(document: FlagDocument, { text, refuse }: Variable): FlagDocument {
  if (text === undefined) return document
  const kill = readSwitch(text)
  if (kill === undefined) refuse('must be on or off; streaming is killed until then')
  return changeKill(document, kill ?? true)
}

/** `on` and `off` are for all users. A percentage, even 0%, includes the internal users. */
function readStreaming(
  document: FlagDocument,
  { text, refuse }: Variable,
  internal: FlagSegment | undefined,
): FlagDocument {
  const key = flagKeys.streaming
  const share = (percent: number): FlagDocument => {
    if (internal === undefined) return changeFlag(document, key, { percent })
    return changeFlag({ ...document, $segments: { internal } }, key, { percent, include: ['internal'] })
  }
  if (text === undefined) return internal === undefined ? document : share(0)
  const all = readSwitch(text)
  if (all !== undefined) return changeFlag(document, key, { serve: all ? 'on' : 'off' })
  const percent = readPercent(text)
  if (percent !== undefined) return share(percent)
  refuse('must be on, off, or a percentage such as 10% (0 to 100, at most three decimals); streaming is off until then')
  return changeFlag(document, key, { serve: 'off' })
}

function readPercent(text: string): number | undefined {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text) ?? []
  const percent = Number(digits)
  return digits !== undefined && percent <= 100 ? percent : undefined
}

function readInternal({ text, refuse }: Variable): FlagSegment | undefined {
  if (text === undefined) return undefined
  const items = listOf(text)
  if (items.some((item) => /\s/.test(item) || item === '@' || item.lastIndexOf('@') === item.length - 1)) {
    refuse('must be a list such as @corp.example,u123; no user is internal until then')
    return undefined
  }
  const domains = items.filter((item) => item.startsWith('@')).map((item) => item.slice(1))
  const users = items.filter((item) => !item.startsWith('@'))
  const addresses = users.filter((user) => user.includes('@'))
  return {
    ...(users.length > 0 && { targetingKeys: users }),
    ...(domains.length > 0 && { emailDomains: domains }),
    ...(addresses.length > 0 && { attributes: { email: addresses } }),
  }
}

/** Named tools stream, and then no others do. If the list only excludes tools, all others stream. */
function readTools(document: FlagDocument, { text, refuse }: Variable): FlagDocument {
  if (text === undefined) return document
  const serve = (before: FlagDocument, tool: string, on: boolean): FlagDocument =>
    changeFlag(before, flagKeys.tool(tool), { serve: on ? 'on' : 'off' })
  const all = allTools(text)
  if (all !== undefined) return serve(document, '*', all)
  const choices = new Map<string, boolean>()
  for (const item of listOf(text)) {
    const on = !item.startsWith('!')
    const tool = on ? item : item.slice(1).trim()
    if (!/^[\w-]{1,128}$/.test(tool) || (choices.get(tool) ?? on) !== on) {
      refuse('must be a list of tools such as web_search,!bash, each once; no tool streams until then')
      return serve(document, '*', false)
    }
    choices.set(tool, on)
  }
  const others = ![...choices.values()].includes(true)
  return [...choices].reduce((before, [tool, on]) => serve(before, tool, on), serve(document, '*', others))
}

function allTools(text: string): boolean | undefined {
  if (text === '*' || text.toLowerCase() === 'all') return true
  if (text.toLowerCase() === 'none') return false
  return readSwitch(text)
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
