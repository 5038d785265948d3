import { dereference, format as formats, type Schema, validate as run } from '@cfworker/json-schema'
import { type InputIssue, type InputResult, MillraceError } from '@millrace/core'
import { checkOptions, isRecord, oneOf, type Rule } from '@millrace/core/kit'
import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { toIssues } from './issues.ts'
import { copyJson } from './json-value.ts'
import { metaSchemas } from './meta-schema.ts'
import { subschemas } from './subschemas.ts'

/** The supported drafts of JSON Schema. */
export type JsonSchemaDraft = '7' | '2019-09' | '2020-12'

export interface JsonSchemaOptions {
  /** The draft that the schema is written in. Default: its `$schema`, or else `2020-12`, as in the Messages API. */
  readonly draft?: JsonSchemaDraft
}

/**
 * The type of the inputs that a schema accepts, if it is written as a literal; otherwise `unknown`. Keywords that the type
 * cannot express, such as `$ref` and `if`, make it wider than the schema.
 */
export type InputOf<Schema> =
  Schema extends Exclude<JSONSchema, boolean> ? (string extends keyof Schema ? unknown : FromSchema<Schema>) : unknown

/** A JSON Schema with its validator, for the `inputSchema` of `defineTool`. */
export interface JsonSchema<T> {
  /** The schema, as it was given. */
  readonly jsonSchema: Readonly<Record<string, unknown>>
  /** Validates an input. Reports at most 20 issues, each with its path. Never throws. */
  readonly validate: (value: unknown) => InputResult<T>
}

/** For inputs of more values than this, validation stops at the first error, so that it costs no more than reading them. */
const fullReportNodes = 2000

const draftUris: Readonly<Record<string, JsonSchemaDraft>> = {
  'http://json-schema.org/draft-07/schema': '7',
  'https://json-schema.org/draft/2019-09/schema': '2019-09',
  'https://json-schema.org/draft/2020-12/schema': '2020-12',
}

type Path = readonly (string | number)[]

const optionRules: Readonly<Record<keyof JsonSchemaOptions, Rule>> = { draft: oneOf('7', '2019-09', '2020-12') }

function refuse(path: Path, problem: string, cause?: unknown): never {
  const at = path.reduce<string>((before, key) => before + (typeof key === 'number' ? `[${key}]` : `.${key}`), 'schema')
  throw new MillraceError('invalid_schema', `${at} ${problem}`, { path: at, ...(cause !== undefined && { cause }) })
}

function draftOf(uri: unknown): JsonSchemaDraft {
  if (uri === undefined) return '2020-12'
  const plain = typeof uri === 'string' ? uri.replace(/#$/, '') : ''
  const known = Object.hasOwn(draftUris, plain) ? draftUris[plain] : undefined
  return known ?? refuse(['$schema'], 'must be the URI of draft-07, 2019-09 or 2020-12')
}

/** Throws unless `value` follows the meta-schema of its draft. */
function checkKeywords(value: unknown, draft: JsonSchemaDraft): asserts value is Schema {
  const { errors, valid } = run(value, metaSchemas[draft], draft, dereference(metaSchemas[draft]), false)
  if (valid) return
  const [issue] = toIssues(errors, value)
  const path = (issue?.path ?? []).filter((part) => typeof part === 'string' || typeof part === 'number')
  refuse(path, `is not valid in JSON Schema ${draft}: ${issue?.message ?? ''}`)
}

function checkPattern(path: Path, pattern: string): void {
  try {
    RegExp(pattern, 'u')
  } catch (cause) {
    refuse(path, 'must be a regular expression that is valid with the flag "u"', cause)
  }
}

/** Refuses what the validator would ignore, or would only find out when an input comes. */
function checkMeaning(schema: Schema, lookup: ReturnType<typeof dereference>): void {
  for (const { path, schema: at } of subschemas(schema)) {
    const { $ref, pattern, patternProperties } = at
    if ('$dynamicRef' in at) refuse([...path, '$dynamicRef'], 'is not supported: use $ref')
    if (typeof $ref === 'string' && !(String(at['__absolute_ref__']) in lookup)) {
      refuse([...path, '$ref'], 'must point into this schema, such as "#/$defs/name"; nothing is fetched')
    }
    if (typeof pattern === 'string') checkPattern([...path, 'pattern'], pattern)
    if (isRecord(patternProperties)) {
      for (const name of Object.keys(patternProperties)) checkPattern([...path, 'patternProperties', name], name)
    }
  }
}

/** Names that the validator uses for its own purposes inside a schema. */
const reserved = ['__absolute_ref__', '__absolute_recursive_ref__', '__absolute_uri__'] as const

/**
 * Removes from our copy what the validator would misread: names that it uses itself, and formats that it does not know. It
 * looks formats up in an object with a prototype, so it would take `constructor` for one.
 */
function tidy(schema: unknown): void {
  for (const { schema: at } of subschemas(schema)) {
    const { format } = at
    if (typeof format === 'string' && !Object.hasOwn(formats, format)) Reflect.deleteProperty(at, 'format')
    for (const name of reserved) Reflect.deleteProperty(at, name)
  }
}

function resolve(schema: Schema): ReturnType<typeof dereference> {
  try {
    return dereference(schema)
  } catch (cause) {
    return refuse([], 'has an "$id", "$anchor" or "$ref" that is not a URI, or the same "$id" twice', cause)
  }
}

/**
 * Reads a plain JSON Schema, so that a tool's input is validated by it. Give the result to `defineTool` as `inputSchema`.
 *
 * The type of a valid input is derived from a schema that is written as a literal. The validator generates no code, so it
 * runs where `new Function` is forbidden. These values of `format` are asserted, and any other is ignored: date, time,
 * date-time, duration, uri, uri-reference, uri-template, url, email, hostname, ipv4, ipv6, regex, uuid, json-pointer,
 * json-pointer-uri-fragment, relative-json-pointer.
 *
 * @throws MillraceError `invalid_schema` with the path of what is wrong; `invalid_option`, `unknown_option`
 */
export function jsonSchema<const Schema extends Readonly<Record<string, unknown>>>(
  schema: Schema,
  options: JsonSchemaOptions = {},
): JsonSchema<InputOf<Schema>> {
  checkOptions(options, 'options', optionRules)
  const copied = copyJson(schema)
  if (copied.problem !== undefined) return refuse(copied.problem.path, copied.problem.message)
  const own = copied.copy
  if (!isRecord(own)) return refuse([], 'must be an object')
  const draft = options.draft ?? draftOf(own['$schema'])
  checkKeywords(own, draft)
  tidy(own)
  const lookup = resolve(own)
  checkMeaning(own, lookup)
  const issuesOf = (value: unknown): InputIssue[] => {
    const input = copyJson(value)
    if (input.problem !== undefined) return [input.problem]
    const firstOnly = input.nodes > fullReportNodes
    const { errors, valid } = run(input.copy, own, draft, lookup, firstOnly)
    return valid ? [] : toIssues(errors, input.copy)
  }
  try {
    issuesOf({})
  } catch (cause) {
    return refuse([], 'refers to itself without end', cause)
  }
  // True by validation: the type is derived from the schema that the value was checked against.
  const accepts = (value: unknown, issues: readonly InputIssue[]): value is InputOf<Schema> => issues.length === 0
  return {
    jsonSchema: schema,
    validate(value) {
      try {
        const issues = issuesOf(value)
        return accepts(value, issues) ? { value } : { issues }
      } catch {
        // For example a recursion through $ref that never ends, and that only this input enters.
        return { issues: [{ message: 'Could not be validated.' }] }
      }
    },
  }
}
