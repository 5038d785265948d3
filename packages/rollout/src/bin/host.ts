/** What the command needs of its process. */
export interface CommandHost {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Asks a question on the terminal; an empty answer takes the default. */
  readonly ask: (question: string) => Promise<string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => Promise<string>
  /** Writes a new file, and fails if there is one. */
  readonly writeNewFile: (path: string, text: string) => Promise<void>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
}

/** The arguments cannot be understood. */
export class UsageError extends Error {}
