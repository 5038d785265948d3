import { isRecord } from '@millrace/core/kit'
import { isList, type JsonObject } from '../kit/json.ts'
import { parsePath, type Step } from './path.ts'
import { createPlaceholders, type Placeholders } from './placeholders.ts'

/** Replaces a key. */
const keyPlaceholder = '[redacted key]'

/** Characters of the shortest secret. A shorter one would be found inside of words. */
export const shortestSecret = 8

/** How many secrets are looked for, since each costs a pass over every text. */
const maxSecrets = 50

/** Removes from bodies what must not be kept. */
export interface Redactor {
  /** Adds a text that is redacted everywhere, such as the key of a request. */
  addSecret(secret: string): void
  /** Returns a request's body, redacted. */
  request(body: JsonObject): JsonObject
  /** Returns an answer, redacted as the message after `index` other messages. */
  answer(message: JsonObject, index: number): JsonObject
  /** Returns a text without the secrets. */
  text(text: string): string
}

/** Where a value stands in a request. What a replay needs depends on it. */
type Place = 'body' | 'messages' | 'message' | 'blocks' | 'block' | 'tools' | 'tool' | 'data'

/** Fields that no path reaches, since a recording cannot be replayed without them. */
const needed: Readonly<Record<Place, readonly string[]>> = {
  body: ['model', 'max_tokens', 'stream', 'cache_control', 'container'],
  messages: [],
  message: ['role'],
  blocks: [],
  block: ['type', 'id', 'tool_use_id', 'name', 'is_error', 'caller', 'toolset_name', 'media_type', 'cache_control'],
  tools: [],
  tool: ['type', 'name', 'cache_control'],
  data: [],
}

function placeOf(place: Place, key: string): Place {
  switch (place) {
    case 'body':
      if (key === 'messages' || key === 'tools') return key
      return key === 'system' ? 'blocks' : 'data'
    case 'messages':
      return 'message'
    case 'message':
      return key === 'content' ? 'blocks' : 'data'
    case 'blocks':
      return 'block'
    case 'block':
      if (key === 'input') return 'data'
      return key === 'content' ? 'blocks' : 'block'
    case 'tools':
      return 'tool'
    case 'tool':
    case 'data':
      return 'data'
  }
}

/**
 * Creates a redactor for the fields at `paths`, and for `secrets` everywhere.
 *
 * @throws MillraceError `invalid_option` if a path cannot be read
 */
export function createRedactor(
  paths: readonly string[],
  secrets: readonly string[] = [],
  placeholders: Placeholders = createPlaceholders(),
): Redactor {
  const parsed = paths.map((path, index) => parsePath(path, `redact[${index}]`))
  const known = new Set<string>()
  const addSecret = (secret: string): void => {
    if (secret.length >= shortestSecret && known.size < maxSecrets) known.add(secret)
  }
  for (const secret of secrets) addSecret(secret)

  function scrubText(text: string): string {
    let scrubbed = text
    for (const secret of known) scrubbed = scrubbed.replaceAll(secret, keyPlaceholder)
    return scrubbed
  }

  function scrub(value: unknown): unknown {
    if (typeof value === 'string') return scrubText(value)
    if (isList(value)) return value.map(scrub)
    if (!isRecord(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [scrubText(key), scrub(field)]))
  }

  function redact(body: JsonObject): JsonObject {
    let redacted: unknown = body
    for (const path of parsed) redacted = redactAt(redacted, path, 'body', placeholders)
    const scrubbed = known.size === 0 ? redacted : scrub(redacted)
    return isRecord(scrubbed) ? scrubbed : {}
  }

  return {
    addSecret,
    request: redact,
    answer(message, index) {
      // A path may name a message by its index, so the answer is put where the next request will have it.
      const before: unknown[] = Array.from({ length: index }, () => null)
      const turn = { role: 'assistant', content: message['content'] }
      const { messages } = redact({ messages: [...before, turn] })
      const last = isList(messages) ? messages.at(-1) : undefined
      const rest = scrub(message)
      return { ...(isRecord(rest) ? rest : {}), content: isRecord(last) ? last['content'] : [] }
    },
    text: scrubText,
  }
}

function redactAt(value: unknown, steps: readonly Step[], place: Place, placeholders: Placeholders): unknown {
  const [step, ...rest] = steps
  if (step === undefined) return redactAll(value, place, placeholders)
  if (step.kind === 'any') {
    const here = redactAt(value, rest, place, placeholders)
    return mapChildren(
      here,
      place,
      () => true,
      (child, at) => redactAt(child, steps, at, placeholders),
    )
  }
  // In the API a text is short for a list of one text block, so one path fits both.
  if (typeof value === 'string' && place === 'blocks') {
    const inner = redactAt([{ type: 'text', text: value }], steps, place, placeholders)
    const block: unknown = isList(inner) ? inner[0] : undefined
    return isRecord(block) ? block['text'] : value
  }
  const matches = (key: string): boolean => step.kind === 'one' || step.key === key
  return mapChildren(value, place, matches, (child, at) => redactAt(child, rest, at, placeholders))
}

function redactAll(value: unknown, place: Place, placeholders: Placeholders): unknown {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return placeholders.replace(value)
  }
  return mapChildren(
    value,
    place,
    () => true,
    (child, at) => redactAll(child, at, placeholders),
  )
}

function mapChildren(
  value: unknown,
  place: Place,
  matches: (key: string) => boolean,
  map: (child: unknown, place: Place) => unknown,
): unknown {
  if (isList(value)) {
    return value.map((child, index) => (matches(String(index)) ? map(child, placeOf(place, String(index))) : child))
  }
  if (!isRecord(value)) return value
  // The content of some results is one block instead of a list.
  const own = place === 'blocks' ? 'block' : place
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) =>
      matches(key) && !needed[own].includes(key) ? [key, map(child, placeOf(own, key))] : [key, child],
    ),
  )
}
