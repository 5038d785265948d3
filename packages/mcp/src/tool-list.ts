import { isRecord } from '@millrace/core/kit'
import type { Client } from '@modelcontextprotocol/client'
import { text } from './json.ts'
import { anyResult } from './result-schema.ts'

/** A tool as its server describes it, after the description was checked. */
export interface McpToolDescription {
  readonly name: string
  readonly description: string
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly readOnly: boolean
  readonly idempotent: boolean
}

export interface ToolListing {
  readonly tools: readonly McpToolDescription[]
  /** The tools that cannot be used, each with the reason. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

/** The number of pages after which a list without end is cut. The SDK has the same limit. */
const maxPages = 64

function readTool(given: unknown): McpToolDescription | string {
  if (!isRecord(given)) return 'it is not an object'
  const name = text(given['name'])
  if (name === undefined || name === '') return 'it has no name'
  const execution = given['execution']
  if (isRecord(execution) && execution['taskSupport'] === 'required')
    return 'it can only be called as a task, which is not supported'
  const inputSchema = given['inputSchema']
  if (!isRecord(inputSchema) || inputSchema['type'] !== 'object') return 'its inputSchema does not describe an object'
  const hints = isRecord(given['annotations']) ? given['annotations'] : {}
  return {
    name,
    description: text(given['description']) ?? text(given['title']) ?? text(hints['title']) ?? name,
    inputSchema,
    readOnly: hints['readOnlyHint'] === true,
    idempotent: hints['idempotentHint'] === true,
  }
}

/**
 * Lists all tools of a server. Each tool is read by itself, because the SDK's own schema rejects the whole list for one
 * invalid tool.
 *
 * @throws what the request fails with
 */
export async function listTools(
  client: Client,
  options: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<ToolListing> {
  const tools = new Map<string, McpToolDescription>()
  const skipped: { name: string; reason: string }[] = []
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page += 1) {
    const result = await client.request(
      { method: 'tools/list', params: cursor === undefined ? {} : { cursor } },
      anyResult,
      { timeout: options.timeout, signal: options.signal },
    )
    if (!isRecord(result) || !Array.isArray(result['tools']))
      throw new TypeError('"tools/list" returned no list of tools')
    for (const given of result['tools']) {
      const tool = readTool(given)
      if (typeof tool !== 'string' && !tools.has(tool.name)) tools.set(tool.name, tool)
      else
        skipped.push({
          name: isRecord(given) ? (text(given['name']) ?? '') : '',
          reason: typeof tool === 'string' ? tool : 'an earlier tool has the same name',
        })
    }
    cursor = text(result['nextCursor'])
    if (cursor === undefined) break
  }
  return { tools: [...tools.values()], skipped }
}
