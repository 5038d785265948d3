import type { ToolProgress, ToolResultContent } from '../protocol/events.ts'
import { isRecord } from '../kit/guards.ts'
import { aBoolean, aDelay, aFunction, anything, checkOptions, rule } from '../kit/checks.ts'
import { type CompiledSchema, compileSchema, type InputOf, type ToolSchema } from './schema.ts'

/** What a tool's `run` is given beside its input. */
export interface ToolContext {
  /** Aborts when the call times out, or the run is interrupted. Its reason says which. */
  readonly signal: AbortSignal
  /** Reports progress. Never throws, never waits; does nothing once the call has ended. */
  readonly progress: (report: ToolProgress) => void
  readonly toolUseId: string
  /** The same for every execution of this call, also after a crash and on another instance. */
  readonly idempotencyKey: string
  readonly runId: string
  readonly turn: number
}

/** Whether a call of unknown outcome took effect. Undefined: cannot be told. */
export type Reconciliation =
  | { readonly happened: true; readonly result: unknown }
  | { readonly happened: false }
  | undefined

/** What a tool may give: text, content blocks, or any JSON value, which is then sent to the model as JSON text. */
export type ToolOutput = unknown

export interface ToolOptions<Schema extends ToolSchema> {
  /** What the model calls it: 1 to 128 of `a-z A-Z 0-9 _ -`. */
  readonly name: string
  readonly description: string
  readonly inputSchema: Schema
  /** No effects: may start early, may be discarded, may run again. Default: false. */
  readonly readOnly?: boolean
  /** Effects, but once per `idempotencyKey`: may run again with the same key after a crash. Default: false. */
  readonly idempotent?: boolean
  /** Milliseconds that a call may take. Default: the agent's `limits.toolTimeout`. */
  readonly timeout?: number
  /**
   * Says whether a call of unknown outcome happened: one that was stopped before it returned, that says so itself, or
   * whose process died. It has the agent's `limits.toolAbortGrace` to answer; after a crash as long as a call may take.
   */
  readonly reconcile?: (
    input: InputOf<Schema>,
    context: { readonly idempotencyKey: string; readonly toolUseId: string; readonly signal: AbortSignal },
  ) => Reconciliation | Promise<Reconciliation>
  /**
   * Further fields of the API's tool definition, such as `cache_control`, `strict` or `eager_input_streaming`. With a
   * `type` of Claude's own client tools, such as `bash_20250124`, the definition is sent without description and schema.
   */
  readonly definition?: Readonly<Record<string, unknown>>
  /**
   * Does the work. Returns the result, or is an async generator: what it yields is progress, what it returns the result.
   * A throw becomes an error result that the model sees, with the error's message. After its signal has aborted, a throw
   * means that nobody knows whether the call took effect, unless it is `readOnly` or a `ToolError` says otherwise.
   */
  readonly run: (
    input: InputOf<Schema>,
    context: ToolContext,
  ) => ToolOutput | Promise<ToolOutput> | AsyncGenerator<ToolProgress, ToolOutput, void>
}

/** A tool, its schema read and its options checked. */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly readOnly: boolean
  readonly idempotent: boolean
  readonly timeout: number | undefined
  /** The definition that the API is sent. */
  readonly definition: Readonly<Record<string, unknown>>
  readonly validate: CompiledSchema['validate']
  readonly run: (input: unknown, context: ToolContext) => unknown
  readonly reconcile:
    | ((input: unknown, context: { idempotencyKey: string; toolUseId: string; signal: AbortSignal }) => unknown)
    | undefined
}

/**
 * Thrown by a tool to choose what the model sees as the error result: `content`. Of content blocks only the text is sent,
 * since the API takes nothing else in an error.
 *
 * `outcome` says what the tool knows. `unknown`: the call may have taken effect; `reconcile`, where there is one, is then
 * asked. `error`: the call failed and its effect is known, even if its signal has aborted by now. Where it is not given,
 * an error counts as `error`, and after an abort as `unknown`, unless the tool is `readOnly`.
 */
export class ToolError extends Error {
  override readonly name: string = 'ToolError'
  readonly content: ToolResultContent
  readonly outcome: 'error' | 'unknown' | undefined

  constructor(content: ToolResultContent, options?: ErrorOptions & { readonly outcome?: 'error' | 'unknown' }) {
    super(typeof content === 'string' ? content : 'The tool failed', options)
    this.content = content
    this.outcome = options?.outcome
  }
}

const rules = {
  name: rule(
    (name) => typeof name === 'string' && /^[a-zA-Z0-9_-]{1,128}$/.test(name),
    'must be 1 to 128 letters, digits, "_" or "-"',
  ),
  description: rule((text) => typeof text === 'string', 'must be a string'),
  inputSchema: anything,
  readOnly: aBoolean,
  idempotent: aBoolean,
  timeout: aDelay(),
  reconcile: aFunction,
  definition: rule(isRecord, 'must be an object'),
  run: aFunction,
}

/**
 * Defines a client tool.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`, `invalid_schema`
 */
export function defineTool<const Schema extends ToolSchema>(options: ToolOptions<Schema>): Tool
export function defineTool(options: ToolOptions<ToolSchema>): Tool {
  checkOptions(options, '', rules)
  for (const needed of ['name', 'description', 'run'] as const) rules[needed](options[needed], needed)
  const { name, description, readOnly = false, idempotent = false, timeout, definition = {}, reconcile, run } = options
  const schema = compileSchema(options.inputSchema, 'inputSchema')
  const builtIn = typeof definition['type'] === 'string' && definition['type'] !== 'custom'
  return {
    name,
    description,
    readOnly,
    idempotent,
    timeout,
    definition: builtIn
      ? { ...definition, name }
      : { ...definition, name, description, input_schema: schema.jsonSchema },
    validate: schema.validate,
    run,
    reconcile,
  }
}
