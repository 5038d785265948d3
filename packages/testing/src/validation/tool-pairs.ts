import type { Group, PlacedBlock } from './history.ts'
import { textProblem } from './history.ts'
import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import { type MessageProblem, problem } from './message-problem.ts'

/** Checks that the next user message begins with one result for every client tool call, and has no other results. */
export function toolPairProblem(groups: readonly Group[]): MessageProblem | undefined {
  const seen = new Set<string>()
  for (const [position, group] of groups.entries()) {
    if (group.role === 'assistant') {
      const found = callsProblem(group, groups[position + 1], seen)
      if (found !== undefined) return found
    }
    if (group.role === 'user') {
      const found = resultsProblem(group, groups[position - 1])
      if (found !== undefined) return found
    }
  }
  return undefined
}

function callsProblem(group: Group, next: Group | undefined, seen: Set<string>): MessageProblem | undefined {
  const calls = group.blocks.filter((block) => block.type === 'tool_use')
  for (const call of calls) {
    const { id, name, input } = call.fields
    if (!isString(id) || !/^[a-zA-Z0-9_-]+$/.test(id)) {
      return problem(`${call.path}.tool_use.id`, "String should match pattern '^[a-zA-Z0-9_-]+$'")
    }
    if (!isString(name) || name === '') return problem(`${call.path}.tool_use.name`, 'Field required')
    if (!isObject(input)) return problem(`${call.path}.tool_use.input`, 'Input should be a valid dictionary')
    if (seen.has(id)) return problem(call.path, `\`tool_use\` ids must be unique: ${id}`)
    seen.add(id)
  }
  const answered = new Set(leadingResults(next).map((block) => block.fields.tool_use_id))
  const missing = calls.map((call) => call.fields.id).filter((id) => !answered.has(id))
  if (missing.length === 0) return undefined
  return problem(
    `messages.${group.index}`,
    `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}. ` +
      'Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
  )
}

function leadingResults(group: Group | undefined): readonly PlacedBlock[] {
  if (group?.role !== 'user') return []
  const end = group.blocks.findIndex((block) => block.type !== 'tool_result')
  return end === -1 ? group.blocks : group.blocks.slice(0, end)
}

function resultsProblem(group: Group, previous: Group | undefined): MessageProblem | undefined {
  const calls = new Map<unknown, PlacedBlock>()
  if (previous?.role === 'assistant') {
    for (const block of previous.blocks) if (block.type === 'tool_use') calls.set(block.fields.id, block)
  }
  const answered = new Set<unknown>()
  for (const block of group.blocks) {
    if (block.type !== 'tool_result') continue
    const id = block.fields.tool_use_id
    const call = calls.get(id)
    if (call === undefined) {
      return problem(
        block.path,
        `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(id)}. ` +
          'Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
      )
    }
    if (answered.has(id))
      return problem(block.path, `each tool_use must have a single result. Found multiple: ${String(id)}`)
    answered.add(id)
    const found = resultProblem(block, call)
    if (found !== undefined) return found
  }
  const programmatic = [...calls.values()].some((call) => callerId(call) !== undefined)
  if (programmatic && group.blocks.some((block) => block.type !== 'tool_result')) {
    return problem(
      `messages.${group.index}`,
      'a response to programmatic tool calls must contain only `tool_result` blocks',
    )
  }
  return undefined
}

function resultProblem(block: PlacedBlock, call: PlacedBlock): MessageProblem | undefined {
  const toolset = call.fields.toolset_name
  if (isString(toolset) && block.fields.toolset_name !== toolset) {
    return problem(
      `${block.path}.tool_result.toolset_name`,
      `Field required: the call belongs to the toolset "${toolset}"`,
    )
  }
  const { content, is_error: isError } = block.fields
  if (isError === true && (content === undefined || content === '' || (Array.isArray(content) && content.length === 0)))
    return problem(`${block.path}.tool_result`, 'content cannot be empty if `is_error` is true')
  if (content === undefined || isString(content)) return undefined
  if (!Array.isArray(content)) {
    return problem(`${block.path}.tool_result.content`, 'Input should be a string or a list of content blocks')
  }
  for (const [index, part] of content.entries()) {
    const path = `${block.path}.tool_result.content.${index}`
    if (!isObject(part) || !isString(part.type)) return problem(path, 'Input should be a content block with a type')
    if (isError === true && part.type !== 'text')
      return problem(`${block.path}.tool_result`, "all content must be type 'text' if `is_error` is true")
    const found = partProblem(path, part)
    if (found !== undefined) return found
  }
  return undefined
}

/** Checks the type of a block in a result, and the fields that it needs. */
function partProblem(path: string, part: JsonObject): MessageProblem | undefined {
  switch (part.type) {
    case 'text':
      return textProblem(path, part.text)
    case 'document':
    case 'image':
      return isObject(part.source) ? undefined : problem(`${path}.${part.type}.source`, 'Field required')
    case 'search_result':
      return Array.isArray(part.content) ? undefined : problem(`${path}.search_result.content`, 'Field required')
    case 'tool_reference':
      return isString(part.tool_name) ? undefined : problem(`${path}.tool_reference.tool_name`, 'Field required')
    default:
      return problem(
        path,
        `Input tag '${String(part.type)}' found using 'type' does not match any of the expected tags`,
      )
  }
}

/** Returns the id of the server tool whose code made this call, or undefined if the model itself made it. */
export function callerId(call: PlacedBlock): string | undefined {
  const { caller } = call.fields
  return isObject(caller) && isString(caller.tool_id) ? caller.tool_id : undefined
}
