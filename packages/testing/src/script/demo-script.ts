import type { Conversation, OfferedTool } from './conversation.ts'
import { isObject, isString } from '../kit/guards.ts'
import { text, thinking, toolUse, type Turn } from './turn.ts'

/**
 * A model that chats: it greets, thinks aloud, calls an offered tool whose name or description shares a word with what
 * the user said, and answers from the result. The same conversation always gets the same answer.
 */
export function demoScript(conversation: Conversation): Turn {
  const { lastUserText } = conversation
  const results = resultsOfThisQuestion(conversation)
  if (results.length > 0) return conversation.continued(answerFromResults(conversation, results))
  const tool = results.length === 0 ? matchingTool(conversation) : undefined
  if (tool !== undefined) {
    const input = inventInput(tool.inputSchema, lastUserText)
    return {
      content: [
        thinking(`The user says: "${shorten(lastUserText)}". The tool ${tool.name} fits: ${shorten(tool.description)}`),
        text(`Let me use ${tool.name} for that.`),
        toolUse(tool.name, input),
      ],
    }
  }
  return conversation.continued({ content: [thinking('No tool is needed for this.'), text(smallTalk(conversation))] })
}

function resultsOfThisQuestion(
  conversation: Conversation,
): readonly { name: string; text: string; isError: boolean }[] {
  const last = conversation.messages.at(-1)
  const content = last?.role === 'user' && Array.isArray(last.content) ? last.content : []
  const ids = content.filter(isObject).map((block) => block.tool_use_id)
  return conversation.toolResults.filter((result) => ids.includes(result.id))
}

function answerFromResults(
  conversation: Conversation,
  results: readonly { name: string; text: string; isError: boolean }[],
): Turn {
  const lines = results.map((result) =>
    result.isError
      ? `${result.name} did not work: ${shorten(result.text)}`
      : `${result.name} says: ${shorten(result.text, 400)}`,
  )
  const closing = results.some((result) => result.isError)
    ? 'Shall I try it differently?'
    : `That answers "${shorten(conversation.lastUserText)}". What next?`
  return { content: [thinking('The results are here; I sum them up.'), text(`${lines.join('\n')}\n\n${closing}`)] }
}

function matchingTool(conversation: Conversation): OfferedTool | undefined {
  const said = words(conversation.lastUserText)
  let best: { tool: OfferedTool; score: number } | undefined
  for (const tool of conversation.tools) {
    const inName = count(said, words(tool.name))
    const score = inName * 3 + count(said, words(tool.description))
    if (score > (best?.score ?? 0)) best = { tool, score }
  }
  return best?.tool
}

/** Returns the words of four letters or more, since shorter ones match everything. */
function words(value: string): ReadonlySet<string> {
  return new Set(value.toLowerCase().match(/\p{L}{4,}/gu) ?? [])
}

function count(said: ReadonlySet<string>, known: ReadonlySet<string>): number {
  return [...said].filter((word) => known.has(word)).length
}

/** Returns an input that fits the schema's required properties, as far as a few words can fill them. */
function inventInput(schema: unknown, said: string): { [field: string]: unknown } {
  const input: { [field: string]: unknown } = {}
  if (!isObject(schema) || !isObject(schema.properties)) return input
  const required = Array.isArray(schema.required) ? schema.required.filter(isString) : []
  for (const name of required) input[name] = inventValue(schema.properties[name], said)
  if (required.length > 0) return input
  // An optional property is filled in only if the user has named something.
  const [first] = Object.entries(schema.properties).filter(([, value]) => isObject(value) && value.type === 'string')
  const named = namedIn(said)
  if (first !== undefined && named !== undefined) input[first[0]] = named
  return input
}

function inventValue(schema: unknown, said: string): unknown {
  if (!isObject(schema)) return said
  if ('default' in schema) return schema.default
  if (Array.isArray(schema.enum)) return schema.enum.find((value) => said.includes(String(value))) ?? schema.enum[0]
  const number = /-?\d+(?:\.\d+)?/.exec(said)?.[0]
  switch (schema.type) {
    case 'integer':
      return Math.trunc(Number(number ?? 3))
    case 'number':
      return Number(number ?? 3)
    case 'boolean':
      return true
    case 'array':
      return []
    case 'object':
      return inventInput(schema, said)
    default:
      return namedIn(said) ?? said.trim().replace(/[?!.]+$/, '')
  }
}

/**
 * Returns what is quoted, else what looks like a path, else what looks like an id, without the punctuation behind it.
 */
function namedIn(said: string): string | undefined {
  const quoted = /["`](.+?)["`]|(?<!\p{L})'(.+?)'(?!\p{L})/u.exec(said)?.slice(1).find(isString)
  if (quoted !== undefined) return quoted
  const words = said.split(/\s+/).map((word) => word.replaceAll(/^[(]+|[?!.,;:)]+$/g, ''))
  return words.find((word) => /.[/.]|[/.]\w/.test(word)) ?? words.find((word) => /\d/.test(word))
}

function smallTalk(conversation: Conversation): string {
  const said = conversation.lastUserText
  const tools = conversation.tools.map((tool) => tool.name).join(', ')
  if (conversation.turn === 1 && /\b(hi|hello|hey|good (morning|evening))\b/i.test(said)) {
    return `Hello! I am a scripted stand-in for Claude.${tools === '' ? '' : ` I can use these tools: ${tools}.`} What shall we do?`
  }
  if (/\b(bye|thanks|thank you)\b/i.test(said)) return 'You are welcome. Good bye!'
  const hint = tools === '' ? 'I was given no tools, so I can only talk.' : `Ask me for something that ${tools} can do.`
  return `You said: "${shorten(said)}". I am scripted, so I do not know more about it. ${hint}`
}

function shorten(value: string, limit = 120): string {
  const flat = value.replace(/\s+/g, ' ').trim()
  return flat.length <= limit ? flat : `${flat.slice(0, limit)}…`
}
