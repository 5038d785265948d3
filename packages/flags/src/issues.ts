/** One thing that is wrong, or looks wrong, in a flag document. */
export interface FlagIssue {
  /** An `error` has the document refused; a `warning` is reported. */
  readonly severity: 'error' | 'warning'
  /** What was wrong, and what to do. */
  readonly message: string
  /** Keys and indices from the root. */
  readonly at: readonly (string | number)[]
  /** `at` as a JSON path: `$.flags['use_streaming'].rollout.percent`. */
  readonly path: string
  /** Where it stands in the text, from 1; absent where the document did not come from text. */
  readonly line?: number
  readonly column?: number
}

/** Makes an issue, with its path written out. */
export function flagIssue(
  severity: FlagIssue['severity'],
  at: readonly (string | number)[],
  message: string,
): FlagIssue {
  return { severity, at, path: formatPath(at), message }
}

/** Whether the document that these were found in must be refused. */
export function hasErrors(issues: readonly FlagIssue[]): boolean {
  return issues.some(({ severity }) => severity === 'error')
}

/** One line for a person: `3:14 $.flags.a.state: must be …`. */
export function formatIssue({ line, column, path, message }: FlagIssue): string {
  const place = line === undefined ? '' : `${line}:${column ?? 1} `
  return `${place}${path}: ${message}`
}

/** {@link formatIssue} for several, on one line. */
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
