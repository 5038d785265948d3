import { defineTool, type Middleware, type Tool, type ToolResultContent } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { isList, type JsonObject } from '../kit/json.ts'
import type { RecordedRun } from './recorded-run.ts'

/** A call as an agent made it. */
export interface SeenCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
}

/** What stands in for the team's tools, so that none of them runs. */
export interface RecordedTools {
  readonly tools: readonly Tool[]
  /** Answers each call with the result that the recording holds for it. */
  readonly middleware: Middleware
  /** The calls so far, in the order in which they started. */
  readonly calls: readonly SeenCall[]
}

/** Returns the results of a recorded run, by the id of their call. */
function recordedResults(run: RecordedRun): ReadonlyMap<string, JsonObject> {
  const messages = run.turns.flatMap((turn) => turn.messages)
  const blocks = messages.flatMap(({ content }) => (isList(content) ? content.filter(isRecord) : []))
  return new Map(
    blocks.flatMap((block) => {
      const { type, tool_use_id: id } = block
      return type === 'tool_result' && typeof id === 'string' ? [[id, block]] : []
    }),
  )
}

/** Returns stand-ins for every tool that the recording calls. */
export function recordedTools(run: RecordedRun): RecordedTools {
  const results = recordedResults(run)
  const names = new Set(
    run.turns
      .flatMap(({ message }) => message.content)
      .flatMap(({ type, name }) => (type === 'tool_use' && typeof name === 'string' ? [name] : []))
      // The loop itself answers a call of a name that the API would not take.
      .filter((name) => /^[a-zA-Z0-9_-]{1,128}$/.test(name)),
  )
  const calls: SeenCall[] = []
  return {
    calls,
    tools: [...names].map((name) =>
      defineTool({
        name,
        description: '',
        inputSchema: { jsonSchema: { type: 'object' } },
        run: () => 'never reached: the middleware answers',
      }),
    ),
    middleware: {
      name: 'recorded-tools',
      async tool({ toolUseId: id, name, input }) {
        calls.push({ id, name, input })
        const recorded = results.get(id)
        if (recorded === undefined) return { outcome: 'ok', result: 'The recording holds no result for this call.' }
        return {
          outcome: recorded['is_error'] === true ? 'error' : 'ok',
          result: readContent(recorded['content']),
        }
      },
    },
  }
}

function readContent(content: unknown): ToolResultContent {
  if (typeof content === 'string') return content
  return isList(content) ? content.filter(isRecord).flatMap((block) => readBlock(block)) : ''
}

function readBlock(block: JsonObject): { readonly type: string; readonly [field: string]: unknown }[] {
  const { type } = block
  return typeof type === 'string' ? [{ ...block, type }] : []
}
