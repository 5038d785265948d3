import { dereference, format as formats, type Schema, validate as run } from '@cfworker/json-schema'
import { type InputIssue, type InputResult, MillraceError } from '@millrace/core'
import { toIssues } from './issues.ts'
import { copyJson, isRecord } from './json-value.ts'
import { metaSchemas } from './meta-schema.ts'
import { subschemas } from './subschemas.ts'

/** The drafts of JSON Schema that are understood. */
export type JsonSchemaDraft = '7' | '2019-09' | '2020-12'

export interface JsonSchemaOptions {
  /** Which draft the schema is written in. Default: what its `$schema` says, else `2020-12`, as the Messages API has it. */
  readonly draft?: JsonSchemaDraft
}

/** A JSON Schema with its validator: what `defineTool` takes as `inputSchema`. */
export interface JsonSchema<T> {
  /** The schema, as it was given. */
  readonly jsonSchema: Readonly<Record<string, unknown>>
  /** Whether `value` is valid. It gives at most 20 issues, each with its path, and never throws. */
  readonly validate: (value: unknown) => InputResult<T>
}

/** Inputs of more values than this get their first issues only, so that the answer costs no more than the reading. */
const fullReportNodes = 2000

const draftUris: Readonly<Record<string, JsonSchemaDraft>> = {
  'http://json-schema.org/draft-07/schema': '7',
  'https://json-schema.org/draft/2019-09/schema': '2019-09',
  'https://json-schema.org/draft/2020-12/schema': '2020-12',
}

type Path = readonly (string | number)[]

function where(path: Path): string {
  return path.reduce<string>((at, key) => (typeof key === 'number' ? `${at}[${key}]` : `${at}.${key}`), 'schema')
}

function refuse(path: Path, problem: string, cause?: unknown): never {
  const at = where(path)
  throw new MillraceError('invalid_schema', `jsonSchema: ${at} ${problem}`, {
    path: at,
    ...(cause === undefined ? {} : { cause }),
  })
}

function isSchema(value: unknown): value is Schema {
  return isRecord(value)
}

function draftOf(schema: Schema, options: JsonSchemaOptions): JsonSchemaDraft {
  const { draft, ...unknown } = options
  for (const key of Object.keys(unknown)) {
    throw new MillraceError('unknown_option', `jsonSchema: "${key}" is no option; known is draft`, {
      path: `options.${key}`,
    })
  }
  if (draft !== undefined) {
    if (Object.hasOwn(metaSchemas, draft)) return draft
    throw new MillraceError('invalid_option', `jsonSchema: options.draft must be "7", "2019-09" or "2020-12"`, {
      path: 'options.draft',
    })
  }
  const uri = schema.$schema
  if (uri === undefined) return '2020-12'
  const plain = typeof uri === 'string' ? uri.replace(/#$/, '') : ''
  const known = Object.hasOwn(draftUris, plain) ? draftUris[plain] : undefined
  return known ?? refuse(['$schema'], 'is not a draft that is understood: use draft-07, 2019-09 or 2020-12')
}

function checkKeywords(schema: Schema, draft: JsonSchemaDraft): void {
  const { errors, valid } = run(schema, metaSchemas[draft], draft, dereference(metaSchemas[draft]), false)
  if (valid) return
  const issues = toIssues(errors, schema)
  const path = (issues[0]?.path ?? []).filter((part) => typeof part === 'string' || typeof part === 'number')
  refuse(path, `is no valid JSON Schema of draft ${draft}: ${issues[0]?.message ?? ''}`)
}

function checkPattern(path: Path, pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch (cause) {
    return refuse(path, 'is no valid regular expression (with the flag "u")', cause)
  }
}

/** The things that the validator would find out, or ignore, only when an input comes. */
function checkMeaning(schema: Schema, lookup: ReturnType<typeof dereference>): void {
  for (const { path, schema: at } of subschemas(schema)) {
    const { $ref, pattern, patternProperties } = at
    if ('$dynamicRef' in at) refuse([...path, '$dynamicRef'], 'is not supported: use $ref')
    if (typeof $ref === 'string' && !(String(at['__absolute_ref__']) in lookup)) {
      refuse(
        [...path, '$ref'],
        'leads nowhere: it must point into this schema, such as "#/$defs/name"; nothing is fetched',
      )
    }
    if (typeof pattern === 'string') checkPattern([...path, 'pattern'], pattern)
    if (isRecord(patternProperties)) {
      for (const name of Object.keys(patternProperties)) checkPattern([...path, 'patternProperties', name], name)
    }
  }
}

/** Names that the validator keeps for itself inside a schema. */
const reserved = ['__absolute_ref__', '__absolute_recursive_ref__', '__absolute_uri__'] as const

/**
 * Takes out of our copy what the validator would misread: a format that it does not know (it looks them up in an object
 * with a prototype, where `constructor` is one), and names that it keeps for itself.
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
    return refuse([], 'has an "$id", "$anchor" or "$ref" that is no URI, or the same "$id" twice', cause)
  }
}

/**
 * Reads a plain JSON Schema, so that a tool's input is validated by it: give the result to `defineTool` as
 * `inputSchema`. `T` is the type of a valid input; it is a promise of yours that nothing checks. The validator makes no
 * code, so it runs where `new Function` is forbidden. `format` is asserted where it is known: date, time, date-time,
 * duration, uri, uri-reference, uri-template, url, email, hostname, ipv4, ipv6, regex, uuid, json-pointer,
 * json-pointer-uri-fragment, relative-json-pointer; any other is a note.
 *
 * @throws MillraceError `invalid_schema`, at once, with the path of what is wrong; `invalid_option`, `unknown_option`
 */
export function jsonSchema<T = unknown>(
  schema: Readonly<Record<string, unknown>>,
  options: JsonSchemaOptions = {},
): JsonSchema<T> {
  const copied = copyJson(schema)
  if (copied.problem !== undefined) return refuse(copied.problem.path, copied.problem.message)
  const own = copied.copy
  if (!isSchema(own)) return refuse([], 'must be an object')
  const draft = draftOf(own, options)
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
  const accepts = (value: unknown, issues: readonly InputIssue[]): value is T => issues.length === 0
  return {
    jsonSchema: schema,
    validate(value) {
      try {
        const issues = issuesOf(value)
        return accepts(value, issues) ? { value } : { issues }
      } catch {
        // Such as a recursion through $ref that only this input enters, and that never leaves.
        return { issues: [{ message: 'Could not be validated.' }] }
      }
    },
  }
}
