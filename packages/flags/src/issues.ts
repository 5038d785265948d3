/** One thing that is wrong, or looks wrong, in a flag document. */
export interface FlagIssue {
  /** An `error` makes a flag or another part of the document unusable. A `warning` does not. */
  readonly severity: 'error' | 'warning'
  /** What is wrong, and what to do. Continues the sentence that begins with `path`. */
  readonly message: string
  /** Keys and indices from the root. */
  readonly at: readonly (string | number)[]
  /** `at` as a JSON path: `$.flags['use_streaming'].rollout.percent`. */
  readonly path: string
  /** The place in the text, from 1. Absent if the document did not come from text. */
  readonly line?: number
  readonly column?: number
}

/** Makes an issue and writes out its path. */
export function flagIssue(
  severity: FlagIssue['severity'],
  at: readonly (string | number)[],
  message: string,
): FlagIssue {
  return { severity, at, path: formatPath(at), message }
}

/** Returns whether one of the issues is an error. */
export function hasErrors(issues: readonly FlagIssue[]): boolean {
  return issues.some(({ severity }) => severity === 'error')
}

/** Formats an issue on one line: `3:14 $.flags.a.state: must be …`. */
export function formatIssue({ line, column, path, message }: FlagIssue): string {
  const place = line === undefined ? '' : `${line}:${column ?? 1} `
  return `${place}${path}: ${message}`
}

/** Formats several issues on one line. */
export function formatIssues(issues: readonly FlagIssue[]): string {
  return issues.map(formatIssue).join('; ')
}

function formatPath(at: readonly (string | number)[]): string {
  const parts = at.map((part) => {
    if (typeof part === 'number') return `[${part}]`
    return /^[A-Za-z_$][\w$]*$/.test(part) ? `.${part}` : `['${part.replace(/[\\']/g, '\\$&')}']`
  })
  return `$${parts.join('')}`
}
