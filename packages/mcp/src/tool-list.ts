import type { Client } from '@modelcontextprotocol/client'
import { isRecord, text } from './json.ts'
import { anything } from './lenient-schema.ts'

/** A tool as its server describes it, read without trust. */
export interface McpToolDescription {
  readonly name: string
  readonly description: string
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly readOnly: boolean
  readonly idempotent: boolean
}

export interface ToolListing {
  readonly tools: readonly McpToolDescription[]
  /** Why a tool of the list was left out, each. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

/** A server whose cursor never ends is left after this many pages; the SDK's own limit. */
const maxPages = 64

function readTool(given: unknown): McpToolDescription | string {
  if (!isRecord(given)) return 'it is no object'
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
 * All tools of a server. The list is read leniently: the SDK's own schema refuses the whole of it for one bad tool.
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
      anything,
      { timeout: options.timeout, signal: options.signal },
    )
    if (!isRecord(result) || !Array.isArray(result['tools'])) throw new TypeError('tools/list gave no list of tools')
    for (const given of result['tools']) {
      const tool = readTool(given)
      if (typeof tool !== 'string' && !tools.has(tool.name)) tools.set(tool.name, tool)
      else
        skipped.push({
          name: isRecord(given) ? (text(given['name']) ?? '') : '',
          reason: typeof tool === 'string' ? tool : 'its name is taken by an earlier one',
        })
    }
    cursor = text(result['nextCursor'])
    if (cursor === undefined) break
  }
  return { tools: [...tools.values()], skipped }
}
