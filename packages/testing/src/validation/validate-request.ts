import { isInteger, isObject, isString, type JsonObject } from '../kit/guards.ts'
import { type MessageProblem, problem } from './message-problem.ts'
import { validateMessages, type ValidateMessagesOptions } from './validate-messages.ts'

/** Half of a surrogate pair. JSON escapes it only if it stands alone. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

/** Returns the first reason for which the Messages API would refuse this request body, or undefined. Never throws. */
export function validateRequest(body: unknown, options: ValidateMessagesOptions = {}): MessageProblem | undefined {
  if (!isObject(body)) return problem('body', 'Input should be a valid dictionary')
  const { model, max_tokens: maxTokens, messages, stream } = body
  if (!isString(model) || model === '') return problem('model', 'Field required')
  if (maxTokens === undefined) return problem('max_tokens', 'Field required')
  if (!isInteger(maxTokens)) return problem('max_tokens', 'Input should be a valid integer')
  if (maxTokens < 1) return problem('max_tokens', 'Input should be greater than or equal to 1')
  if (messages === undefined) return problem('messages', 'Field required')
  if (stream !== undefined && typeof stream !== 'boolean') return problem('stream', 'Input should be a valid boolean')
  if (body.thread !== undefined) return problem('thread', 'message threads are not supported by the scripted server')
  return (
    jsonProblem(body) ??
    systemProblem(body.system) ??
    thinkingProblem(body.thinking, maxTokens) ??
    toolsProblem(body) ??
    validateMessages(messages, options)
  )
}

function jsonProblem(body: JsonObject): MessageProblem | undefined {
  const message = 'The request body is not valid JSON'
  try {
    return loneSurrogate.test(JSON.stringify(body))
      ? problem('body', `${message}: no low surrogate in string`)
      : undefined
  } catch {
    return problem('body', message)
  }
}

function systemProblem(system: unknown): MessageProblem | undefined {
  if (system === undefined || isString(system) || Array.isArray(system)) return undefined
  return problem('system', 'Input should be a string or a list of text blocks')
}

function thinkingProblem(thinking: unknown, maxTokens: number): MessageProblem | undefined {
  if (!isObject(thinking) || thinking.type !== 'enabled') return undefined
  const budget = thinking.budget_tokens
  if (!isInteger(budget) || budget < 1024) {
    return problem('thinking.enabled.budget_tokens', 'Input should be greater than or equal to 1024')
  }
  if (budget >= maxTokens) return problem('max_tokens', '`max_tokens` must be greater than `thinking.budget_tokens`')
  return undefined
}

function toolsProblem(body: JsonObject): MessageProblem | undefined {
  const { tools, tool_choice: choice } = body
  if (tools !== undefined && !Array.isArray(tools)) return problem('tools', 'Input should be a valid list')
  const names = new Set<string>()
  for (const [index, tool] of (tools ?? []).entries()) {
    const found = toolProblem(`tools.${index}`, tool, names)
    if (found !== undefined) return found
  }
  if (!isObject(choice)) return undefined
  const type = isString(choice.type) ? choice.type : ''
  if (!['auto', 'any', 'tool', 'none'].includes(type)) {
    return problem('tool_choice.type', "Input should be 'auto', 'any', 'tool' or 'none'")
  }
  if (names.size === 0 && type !== 'none') {
    return problem('tool_choice', '`tool_choice` may only be specified while providing `tools`')
  }
  if (type === 'tool' && !(isString(choice.name) && names.has(choice.name))) {
    return problem('tool_choice', `Tool '${String(choice.name)}' not found in provided tools`)
  }
  return undefined
}

function toolProblem(path: string, tool: unknown, names: Set<string>): MessageProblem | undefined {
  if (!isObject(tool)) return problem(path, 'Input should be an object')
  const isClientTool = tool.type === undefined || tool.type === null || tool.type === 'custom'
  // An MCP toolset has the name of its server, and tools with names of their own.
  const name = isClientTool ? tool.name : (tool.name ?? tool.mcp_server_name ?? tool.type)
  if (!isString(name) || !/^[a-zA-Z0-9_-]{1,128}$/.test(name)) {
    return problem(`${path}.name`, "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
  }
  if (names.has(name)) return problem('tools', `Tool names must be unique: ${name}`)
  names.add(name)
  if (!isClientTool) return undefined
  const schema = tool.input_schema
  if (!isObject(schema)) return problem(`${path}.input_schema`, 'Field required')
  if (schema.type !== 'object') return problem(`${path}.input_schema.type`, "Input should be 'object'")
  return undefined
}
