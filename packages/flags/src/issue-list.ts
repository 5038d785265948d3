import { isRecord, nearest } from '@millrace/core/kit'
import { flagIssue, type FlagIssue, hasErrors } from './issues.ts'

/** A place in a document: keys and indices from the root. */
export type At = readonly (string | number)[]

/** Collects the issues of a document while it is read, so that all of them are reported together. */
export class IssueList {
  readonly issues: FlagIssue[] = []

  error(at: At, message: string): undefined {
    this.issues.push(flagIssue('error', at, message))
  }

  warn(at: At, message: string): void {
    this.issues.push(flagIssue('warning', at, message))
  }

  /** Returns what `read` returns, or undefined if it reported an error, so that no part is used half-read. */
  sound<T>(read: () => T | undefined): T | undefined {
    const before = this.issues.length
    const value = read()
    return hasErrors(this.issues.slice(before)) ? undefined : value
  }

  /** Returns `value` if it is an object; otherwise reports an error. */
  record(at: At, value: unknown): Record<string, unknown> | undefined {
    return isRecord(value) ? value : this.error(at, `must be an object, not ${nameOf(value)}`)
  }

  /** Returns `value` if it is a string that is not empty; otherwise reports an error. */
  text(at: At, value: unknown): string | undefined {
    if (typeof value === 'string' && value !== '') return value
    return this.error(at, `must be a string that is not empty, not ${nameOf(value)}`)
  }

  /** Returns the strings of a list, and reports every other member as an error. */
  texts(at: At, value: unknown): string[] | undefined {
    if (!Array.isArray(value)) return this.error(at, `must be a list of strings, not ${nameOf(value)}`)
    return value.flatMap((member: unknown, index) => this.text([...at, index], member) ?? [])
  }

  /** Reads the members of an object and leaves out those that are invalid. Undefined stays undefined. */
  entries<T>(
    at: At,
    input: unknown,
    read: (list: IssueList, at: At, value: unknown) => T | undefined,
  ): Record<string, T> | undefined {
    if (input === undefined) return undefined
    const value = this.record(at, input)
    if (value === undefined) return undefined
    const members = Object.entries(value).flatMap(([key, member]): [string, T][] => {
      if (key === '') this.error(at, 'must not have an empty key')
      const result = this.sound(() => read(this, [...at, key], member))
      return result === undefined ? [] : [[key, result]]
    })
    return Object.fromEntries(members)
  }

  /** Reports each key of `value` that is not in `known`, with the one that was probably meant. */
  keys(at: At, value: Record<string, unknown>, known: readonly string[], severity: FlagIssue['severity']): void {
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue
      const near = nearest(key, known)
      const hint = near === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${near}"?`
      this.issues.push(flagIssue(severity, [...at, key], `is unknown; ${hint}`))
    }
  }
}

/** Names the JSON type of a value, for messages. The value itself may be long or secret. */
export function nameOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (value === '') return 'an empty string'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return `a ${typeof value}`
}
