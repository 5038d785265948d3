import { MillraceError } from '../kit/errors.ts'
import { isRecord, hasMethod, isObject } from '../kit/guards.ts'
import { refuse } from '../kit/checks.ts'

/** A mistake in an input, and its path. */
export interface InputIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type InputResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly InputIssue[] }

/**
 * A schema of the Standard Schema specification that also provides its JSON Schema: zod 4, arktype, or valibot through
 * `toStandardJsonSchema`. It types the input of the tool.
 */
export interface StandardToolSchema<T = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: unknown; readonly output: T } | undefined
    readonly validate: (value: unknown) => InputResult<T> | Promise<InputResult<T>>
    readonly jsonSchema: {
      readonly input: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>
      readonly output?: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>
    }
  }
}

/** A JSON Schema with a validator, as `jsonSchema` of `@millrace/json-schema` makes it. */
export interface ValidatedToolSchema<T = unknown> {
  readonly jsonSchema: Readonly<Record<string, unknown>>
  readonly validate: (value: unknown) => InputResult<T> | Promise<InputResult<T>>
}

/** A JSON Schema alone. The input is only checked to be an object. */
export interface PlainToolSchema {
  readonly jsonSchema: Readonly<Record<string, unknown>>
  readonly validate?: undefined
}

/** The schema of a tool whose validator returns a `T`. */
export type ToolSchema<T = unknown> = StandardToolSchema<T> | ValidatedToolSchema<T>

/** A schema of any kind, as the loop uses it. */
export interface CompiledSchema<T> {
  readonly jsonSchema: JsonObject
  readonly validate: (value: unknown) => InputResult<T> | Promise<InputResult<T>>
}

export type JsonObject = Readonly<Record<string, unknown>>

function isStandard<T>(schema: ToolSchema<T> | PlainToolSchema): schema is StandardToolSchema<T> {
  // arktype's schemas are functions.
  return isObject(schema) && hasMethod(Reflect.get(schema, '~standard'), 'validate')
}

function standardJsonSchema(schema: StandardToolSchema, path: string): unknown {
  const convert: unknown = schema['~standard'].jsonSchema?.input
  if (typeof convert !== 'function') {
    refuse(
      path,
      "gives no JSON Schema: zod >= 4.2, arktype >= 2.1.28 and valibot's toStandardJsonSchema do",
      'invalid_schema',
    )
  }
  try {
    const input: unknown = schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' })
    return closeObjects(input, outputSchema(schema))
  } catch (cause) {
    throw new MillraceError('invalid_schema', `${path} cannot be expressed as JSON Schema`, { path, cause })
  }
}

/** Returns undefined if the output cannot be expressed, such as that of a transform. */
function outputSchema(schema: StandardToolSchema): unknown {
  try {
    return schema['~standard'].jsonSchema.output?.({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
}

/**
 * Returns `input` with `additionalProperties: false` at each place where `output` has it. Zod sets it only for the output,
 * because it drops unknown fields of an input. The model should not send such fields.
 */
function closeObjects(input: unknown, output: unknown): unknown {
  if (Array.isArray(input)) {
    return Array.isArray(output) ? input.map((part, index) => closeObjects(part, output[index])) : input
  }
  if (!isRecord(input) || !isRecord(output)) return input
  const parts = Object.fromEntries(Object.entries(input).map(([key, part]) => [key, closeObjects(part, output[key])]))
  const closes = input['type'] === 'object' && output['additionalProperties'] === false
  return closes && !('additionalProperties' in input) ? { ...parts, additionalProperties: false } : parts
}

/**
 * Reads a schema that has a validator.
 *
 * @throws MillraceError `invalid_schema` if it is not a schema, or does not describe an object
 */
export function compileSchema<T>(schema: ToolSchema<T>, path: string): CompiledSchema<T> {
  if (isStandard(schema)) {
    const jsonSchema = objectSchema(standardJsonSchema(schema, path), path)
    return { jsonSchema, validate: (value) => schema['~standard'].validate(value) }
  }
  const { jsonSchema } = compilePlain(schema, path)
  if (typeof schema.validate !== 'function') refuse(`${path}.validate`, 'must be a function', 'invalid_schema')
  return { jsonSchema, validate: (value) => readResult(schema.validate(value)) }
}

/** Reads a JSON Schema alone, whose validator only asks for an object. Throws as `compileSchema` does. */
export function compilePlain(schema: { readonly jsonSchema: unknown }, path: string): CompiledSchema<JsonObject> {
  if (!isRecord(schema) || !isRecord(schema['jsonSchema'])) {
    refuse(path, 'must be a Standard Schema or { jsonSchema, validate? }', 'invalid_schema')
  }
  return { jsonSchema: objectSchema(schema['jsonSchema'], `${path}.jsonSchema`), validate: objectOnly }
}

/** Returns the schema unchanged: the legacy loop sends the same, so the prompt cache is kept. */
function objectSchema(schema: unknown, path: string): JsonObject {
  if (!isRecord(schema) || schema['type'] !== 'object') {
    refuse(path, 'must describe an object: its "type" must be "object"', 'invalid_schema')
  }
  return { ...schema }
}

function objectOnly(value: unknown): InputResult<JsonObject> {
  return isRecord(value) ? { value } : { issues: [{ message: 'must be an object' }] }
}

/** Reads the result of a validator. One written in JavaScript may return anything; an invalid result counts as a refusal. */
async function readResult<T>(given: InputResult<T> | Promise<InputResult<T>>): Promise<InputResult<T>> {
  const result = await given
  if (!isRecord(result)) return { issues: [{ message: 'could not be validated' }] }
  const { issues }: { readonly issues?: unknown } = result
  if (Array.isArray(issues)) {
    const read = issues
      .filter(isRecord)
      .map((issue) => ({ message: String(issue['message']), path: readPath(issue['path']) }))
    return { issues: read.length > 0 ? read : [{ message: 'is not valid' }] }
  }
  return 'value' in result ? { value: result.value } : { issues: [{ message: 'could not be validated' }] }
}

function readPath(path: unknown): PropertyKey[] {
  if (!Array.isArray(path)) return []
  return path.filter((key) => typeof key === 'string' || typeof key === 'number')
}

/** Describes issues for the model, such as `items[2].price: must be a number`. */
export function describeIssues(issues: readonly InputIssue[]): string {
  return issues
    .map(({ message, path = [] }) => {
      const keys = path.map((part) => (typeof part === 'object' ? part.key : part))
      const where = keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
      return where === '' ? message : `${where.replace(/^\./, '')}: ${message}`
    })
    .join('\n')
}
