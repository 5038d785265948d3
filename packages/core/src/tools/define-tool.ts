import type { ToolProgress, ToolResultContent } from '../protocol/events.ts'
import { isRecord } from '../kit/guards.ts'
import { aBoolean, aDelay, aFunction, anything, checkOptions, rule } from '../kit/checks.ts'
import {
  type CompiledSchema,
  compilePlain,
  compileSchema,
  type InputIssue,
  type JsonObject,
  type PlainToolSchema,
  type ToolSchema,
} from './schema.ts'

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

/** What `reconcile` is given beside the input. */
export interface ReconcileContext {
  readonly idempotencyKey: string
  readonly toolUseId: string
  /** Aborts when the time to answer is up. */
  readonly signal: AbortSignal
}

/** Whether a call of unknown outcome took effect. Undefined if this cannot be told. */
export type Reconciliation =
  | { readonly happened: true; readonly result: unknown }
  | { readonly happened: false }
  | undefined

/** What a tool may return: text, content blocks, or any JSON value, which is sent to the model as JSON text. */
export type ToolOutput = unknown

interface ToolBody<Input> {
  /** What the model calls the tool: 1 to 128 of `a-z A-Z 0-9 _ -`. */
  readonly name: string
  readonly description: string
  /** Whether the tool has no effects: it may then start early, be discarded and run again. Default: false. */
  readonly readOnly?: boolean
  /** Whether the tool takes effect once per `idempotencyKey`: it may then run again after a crash. Default: false. */
  readonly idempotent?: boolean
  /** Milliseconds that a call may take. Default: the agent's `limits.toolTimeout`. */
  readonly timeout?: number
  /**
   * Says whether a call of unknown outcome took effect: a call that was stopped before it returned, that reports an unknown
   * outcome itself, or whose process died. It has the agent's `limits.toolAbortGrace` to answer; after a crash, as long as
   * a call may take.
   */
  readonly reconcile?: (input: Input, context: ReconcileContext) => Reconciliation | Promise<Reconciliation>
  /**
   * Further fields of the API's tool definition, such as `cache_control`, `strict` or `eager_input_streaming`. With a
   * `type` of Claude's own client tools, such as `bash_20250124`, the definition is sent without description and schema.
   */
  readonly definition?: JsonObject
  /**
   * Does the work. Returns the result, or is an async generator that yields progress and returns the result. A throw
   * becomes an error result that the model sees, with the error's message. After its signal has aborted, a throw means
   * that it is unknown whether the call took effect, unless the tool is `readOnly` or a `ToolError` says otherwise.
   */
  readonly run: (
    input: Input,
    context: ToolContext,
  ) => ToolOutput | Promise<ToolOutput> | AsyncGenerator<ToolProgress, ToolOutput, void>
}

/** The options of a tool whose schema validates its input. */
export interface ToolOptions<Input> extends ToolBody<NoInfer<Input>> {
  readonly inputSchema: ToolSchema<Input>
}

/** The options of a tool with a JSON Schema alone: its input is an object, and nothing else is checked. */
export interface PlainToolOptions extends ToolBody<JsonObject> {
  readonly inputSchema: PlainToolSchema
}

/** A call whose input is valid, or what is wrong with the input. */
export type PreparedCall =
  | { readonly issues: readonly InputIssue[] }
  | {
      readonly issues?: undefined
      readonly run: (context: ToolContext) => unknown
      /** Undefined for a tool without `reconcile`. */
      readonly reconcile: ((context: ReconcileContext) => unknown) | undefined
    }

/** A tool, its schema read and its options checked. */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly readOnly: boolean
  readonly idempotent: boolean
  readonly timeout: number | undefined
  /** The definition that the API is sent. */
  readonly definition: JsonObject
  /** Validates an input. Rejects if the validator of the schema throws. */
  readonly prepare: (input: unknown) => Promise<PreparedCall>
}

/**
 * Thrown by a tool to choose the error result that the model sees: `content`. Of content blocks only the text is sent,
 * because the API takes nothing else in an error.
 *
 * `outcome` says what the tool knows. `unknown`: the call may have taken effect, and `reconcile` is asked if the tool has
 * it. `error`: the call failed and its effect is known, even if its signal has aborted by now. Without an outcome, a throw
 * counts as `error`; after an abort it counts as `unknown`, unless the tool is `readOnly`.
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
export function defineTool(options: PlainToolOptions): Tool
export function defineTool<Input>(options: ToolOptions<Input>): Tool
export function defineTool<Input>(options: PlainToolOptions | ToolOptions<Input>): Tool {
  checkOptions(options, '', rules, 'options', ['name', 'description', 'run'])
  return isPlain(options)
    ? toTool(options, compilePlain(options.inputSchema, 'inputSchema'))
    : toTool(options, compileSchema(options.inputSchema, 'inputSchema'))
}

function isPlain<Input>(options: PlainToolOptions | ToolOptions<Input>): options is PlainToolOptions {
  const { inputSchema }: { readonly inputSchema: unknown } = options
  return isRecord(inputSchema) && isRecord(inputSchema['jsonSchema']) && inputSchema['validate'] === undefined
}

function toTool<Input>(options: ToolBody<Input>, schema: CompiledSchema<Input>): Tool {
  const { name, description, readOnly = false, idempotent = false, timeout, definition = {}, reconcile, run } = options
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
    async prepare(input) {
      const result = await schema.validate(input)
      if (result.issues !== undefined) return { issues: result.issues }
      const { value } = result
      return {
        run: (context) => run(value, context),
        reconcile: reconcile && ((context) => reconcile(value, context)),
      }
    },
  }
}
