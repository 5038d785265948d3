import { eventFields, type FieldKind } from '../src/index.ts'

type Schema = Readonly<Record<string, unknown>>

const text = { type: 'string' }
const count = { type: 'integer', minimum: 0 }
const turnMode = { enum: ['stream', 'buffered', 'legacy'] }
const block = { type: 'object', properties: { type: text }, required: ['type'] }

/** Words that a later version may add to are plain strings here: a client must expect ones that it does not know. */
const kinds: Readonly<Record<FieldKind, Schema>> = {
  text,
  nullableText: { type: ['string', 'null'] },
  number: { type: 'number' },
  count,
  flag: { type: 'boolean' },
  yes: { const: true },
  json: {},
  turnMode,
  outcome: { enum: ['completed', 'interrupted', 'limit', 'refused', 'failed'] },
  toolOutcome: { enum: ['ok', 'error', 'timeout', 'unknown', 'cancelled', 'discarded'] },
  rung: { enum: ['stream', 'buffered', 'legacy', 'salvage', 'continue'] },
  reason: text,
  retractionReason: text,
  takeover: { enum: ['move', 'crash'] },
  stage: { enum: ['before_output', 'after_output'] },
  usage: {
    type: 'object',
    properties: { input_tokens: count, output_tokens: count },
    required: ['input_tokens', 'output_tokens'],
  },
  decision: {
    type: 'object',
    properties: {
      mode: turnMode,
      arm: { enum: ['streaming', 'control'] },
      reason: text,
      flag: text,
      variant: text,
      tools: { type: 'object', additionalProperties: { type: 'boolean' } },
    },
    required: ['mode', 'arm', 'reason', 'tools'],
  },
  error: {
    type: 'object',
    properties: { code: text, message: text, retryable: { type: 'boolean' }, requestId: text },
    required: ['code', 'message', 'retryable'],
  },
  blocks: { type: 'array', items: block },
  toolResult: { anyOf: [text, { type: 'array', items: block }] },
}

const head = { seq: { type: 'integer', minimum: 1 }, runId: text, at: { type: 'number' } }

/** Fields that a stream leaves out where its reader has them already, or may not have them. */
const leftOut: Readonly<Record<string, readonly string[]>> = {
  'tool.started': ['input'],
  'tool.finished': ['input'],
  'turn.finished': ['content'],
}

/** `whole`: as in the process and after decoding; else as in the `data` of a server-sent event or a line of NDJSON. */
export function renderSchema(whole: boolean): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://millrace.dev/schema/event.json',
    title: 'Millrace event',
    description:
      'One event of a run as it travels. `seq` is the id of the server-sent event, or a field of the line; `runId` and `at` are those of the event before where they are left out. A delta without `type` has all fields but its text from the event before. Ignore types and fields that you do not know.',
    oneOf: [
      ...Object.entries(eventFields).map(([type, fields]) => variant(type, fields, whole)),
      ...(whole ? [] : [restOfDelta('text'), restOfDelta('json')]),
    ],
  }
}

/** A delta directly after one of its type and block. */
function restOfDelta(name: 'text' | 'json'): Schema {
  return {
    title: `${name} of the delta before, continued`,
    type: 'object',
    properties: { type: false, seq: head.seq, [name]: text },
    required: [name],
  }
}

function variant(type: string, fields: object, whole: boolean): Schema {
  const list = Object.entries(fields).map(([name, field]: [string, string]) => ({
    name,
    optional: field.endsWith('?') || (!whole && (leftOut[type] ?? []).includes(name)),
    schema: schemaOf(field),
  }))
  return {
    title: type,
    type: 'object',
    properties: {
      type: { const: type },
      ...head,
      ...Object.fromEntries(list.map(({ name, schema }) => [name, schema])),
    },
    required: [
      'type',
      ...(whole ? Object.keys(head) : []),
      ...list.filter(({ optional }) => !optional).map(({ name }) => name),
    ],
  }
}

function schemaOf(field: string): Schema {
  const kind = field.replace('?', '')
  const found = Object.entries(kinds).find(([name]) => name === kind)
  if (!found) throw new Error(`no schema for ${kind}`)
  return found[1]
}
