import { isRecord } from '@millrace/core/kit'
import { differences, type ValueDifference } from '../compare/differences.ts'
import { normaliseMessages } from '../compare/normalise.ts'
import { showBoth } from '../compare/show-values.ts'
import { isList, isSame, type JsonObject } from '../kit/json.ts'

/** One way in which a request is not the recorded one. */
export interface RequestDifference extends ValueDifference {
  /** The difference in words, with both values. */
  readonly text: string
}

/** Characters of a value that the words of a difference show. */
const shownWidth = 60

/** What is looked at first. Other parameters follow by name, and the messages at the end. */
const firstParameters = ['model', 'max_tokens', 'system', 'tools', 'tool_choice', 'betas']

/** Parameters that say nothing about what the model is asked. */
const ignored = ['stream']

/** Returns how a request differs from the recorded one. A field that is null counts as absent. */
export function requestDifferences(recorded: JsonObject, sent: JsonObject): RequestDifference[] {
  const [expected, actual] = [evenRequest(recorded), evenRequest(sent)]
  const others = [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    .filter((name) => ![...firstParameters, ...ignored, 'messages'].includes(name))
    .sort()
  return [...firstParameters, ...others, 'messages'].flatMap((name) =>
    name === 'tools'
      ? toolDifferences(toolsOf(expected), toolsOf(actual))
      : fieldDifferences(pick(expected, name), pick(actual, name)),
  )
}

/** The request in one form: a list of one text as that text, and nothing that is null. */
function evenRequest({ messages, system, ...rest }: JsonObject): JsonObject {
  return withoutNulls({
    ...rest,
    system: onlyText(system) ?? system,
    messages: normaliseMessages(isList(messages) ? messages.filter(isRecord) : [], () => {}),
  })
}

/** The text of a list of one text block that has nothing else, such as a cache breakpoint. */
function onlyText(blocks: unknown): unknown {
  const [block, ...more] = isList(blocks) ? blocks : []
  if (!isRecord(block) || more.length > 0 || block['type'] !== 'text') return undefined
  return Object.keys(withoutNulls(block)).length === 2 ? block['text'] : undefined
}

function withoutNulls(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined))
}

function pick(fields: JsonObject, name: string): JsonObject {
  return Object.hasOwn(fields, name) ? { [name]: fields[name] } : {}
}

function fieldDifferences(expected: JsonObject, actual: JsonObject, path = ''): RequestDifference[] {
  return differences(expected, actual, path).map((difference) => ({ ...difference, text: wordsOf(difference) }))
}

function wordsOf(difference: ValueDifference): string {
  const [recorded, sent] = showBoth(difference, shownWidth)
  if (!('actual' in difference)) return `the recorded request has ${recorded}, your agent sends nothing here`
  if (!('expected' in difference)) return `your agent sends ${sent}, the recorded request has nothing here`
  return `recorded ${recorded}, your agent sends ${sent}`
}

/** Tools by what they are called by: their order is a matter of its own. */
function toolsOf(request: JsonObject): ReadonlyMap<string, JsonObject> {
  const tools = isList(request['tools']) ? request['tools'].filter(isRecord) : []
  // A toolset and an MCP server's tools have no name of their own.
  return new Map(
    tools.map((tool) => [String(tool['name'] ?? tool['mcp_server_name'] ?? tool['type']), withoutNulls(tool)]),
  )
}

function toolDifferences(
  expected: ReadonlyMap<string, JsonObject>,
  actual: ReadonlyMap<string, JsonObject>,
): RequestDifference[] {
  const found = [...new Set([...expected.keys(), ...actual.keys()])].flatMap((name) => {
    const path = `tools[${JSON.stringify(name)}]`
    const [recorded, sent] = [expected.get(name), actual.get(name)]
    if (sent === undefined) {
      return [{ path, expected: recorded, text: 'the recorded loop offers this tool, your agent does not' }]
    }
    if (recorded === undefined) {
      return [{ path, actual: sent, text: 'your agent offers this tool, the recorded loop does not' }]
    }
    return fieldDifferences(recorded, sent, path)
  })
  const [recorded, sent] = [[...expected.keys()], [...actual.keys()]]
  if (recorded.length !== sent.length || isSame(recorded, sent) || !sent.every((name) => expected.has(name)))
    return found
  const text = `recorded in the order ${recorded.join(', ')}; your agent sends ${sent.join(', ')}`
  return [...found, { path: 'tools', expected: recorded, actual: sent, text }]
}
