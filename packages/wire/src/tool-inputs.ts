import type { AgentEvent } from '@millrace/core'
import { parseJson } from '@millrace/core/kit'

/** Characters of fragments that both ends of a stream remember. Beyond that, the input is sent again. */
const limit = 1_048_576

/**
 * The inputs of tool calls that the stream has carried in `tool.input` fragments. The encoder and the decoder keep one each
 * and see the same events, so `tool.started` and `tool.finished` need not carry the input again.
 */
export interface ToolInputs {
  /** Takes an event before it is encoded, or after it is decoded. */
  see(event: AgentEvent): void
  /** Returns the input of a call, or undefined if the stream has not carried it completely. */
  get(toolUseId: string): unknown
}

interface Carried {
  readonly fragments: string[]
  value: unknown
}

export function toolInputs(): ToolInputs {
  const carried = new Map<string, Carried>()
  let chars = 0

  function clear(): void {
    carried.clear()
    chars = 0
  }

  return {
    see(event) {
      switch (event.type) {
        case 'tool.input': {
          chars += event.json.length
          if (chars > limit) return clear()
          const entry = carried.get(event.toolUseId) ?? { fragments: [], value: undefined }
          entry.fragments.push(event.json)
          carried.set(event.toolUseId, entry)
          return
        }
        case 'tool.started':
          carried.set(event.toolUseId, { fragments: [], value: event.input })
          return
        case 'tool.finished':
          carried.delete(event.toolUseId)
          return
        case 'turn.started':
        case 'turn.retracted':
          return clear()
        default:
      }
    },
    get(toolUseId) {
      const entry = carried.get(toolUseId)
      if (entry && entry.fragments.length > 0) {
        entry.value = parseJson(entry.fragments.join(''))
        entry.fragments.length = 0
      }
      return entry?.value
    },
  }
}
