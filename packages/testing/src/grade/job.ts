import type { Clock } from '../kit/clock.ts'
import type { Layout } from '../layouts/layout.ts'

/** A client tool of a job. The grader counts how often it runs. */
export interface JobTool {
  readonly name: string
  readonly description: string
  /** JSON Schema. */
  readonly inputSchema: { readonly [field: string]: unknown }
  /** Whether it may run early, be discarded and run again. */
  readonly readOnly: boolean
  run(input: unknown, context: { readonly signal: AbortSignal; readonly toolUseId: string }): Promise<string>
}

/** What a loop under test is given. */
export interface Job {
  readonly baseURL: string
  readonly apiKey: string
  readonly model: string
  readonly messages: readonly { readonly role: 'user'; readonly content: string }[]
  readonly tools: readonly JobTool[]
  /**
   * The clock for timeouts and backoffs. Minutes pass in milliseconds on it. A loop that waits on real time will hang.
   */
  readonly clock: Clock
  /** Aborted when the case takes too long. */
  readonly signal: AbortSignal
  /** Whether the loop should hand over to a non-streaming one as its last resort: `useLegacy` of `gradeLoop`. */
  readonly useLegacy: boolean
  readonly seed: number
}

export type LoopOutcome = 'completed' | 'interrupted' | 'limit' | 'refused' | 'failed'

/** What a loop under test says at the end. */
export interface LoopReport {
  readonly outcome: LoopOutcome
  /** All text of the assistant that a client shows when the run is over, of all turns, in order and joined. */
  readonly shown: string
  /** The text that the loop returns: of the whole run, or of its final message alone. */
  readonly text: string
  /** The whole history, the job's messages first. */
  readonly messages: readonly unknown[]
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean }
  /** Everything that reached a client: events, callback arguments, returned errors. */
  readonly clientFacing: readonly unknown[]
}

/** A loop under test: does the job, and always resolves with a report. */
export type LoopUnderTest = (job: Job) => Promise<LoopReport>

/** Returns the tools of a layout, and how often each has run. */
export function createJobTools(layout: Layout): { tools: readonly JobTool[]; runs: ReadonlyMap<string, number> } {
  const runs = new Map<string, number>()
  const tools = layout.tools.map(({ name, description, inputSchema, readOnly, result }): JobTool => ({
    name,
    description,
    inputSchema,
    readOnly,
    run() {
      runs.set(name, (runs.get(name) ?? 0) + 1)
      return Promise.resolve(result)
    },
  }))
  return { tools, runs }
}
