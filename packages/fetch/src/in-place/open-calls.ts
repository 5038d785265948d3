import type { ContentBlock, EventBody, Message, ToolResultContent } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { blocksOf } from '@millrace/core/recovery'

/** A call of a client tool that the loop has been given and has not answered yet. */
export interface OpenCall {
  readonly id: string
  readonly name: string
  readonly input: unknown
  readonly turn: number
  startedAt: number
  /** When its tool returned, as `observeTool` saw it. */
  endedAt: number | undefined
  isClaimed: boolean
}

/** The calls of a run: begun by the turn that asks for them, ended by the request that carries their result. */
export interface OpenCalls {
  begin(content: readonly ContentBlock[], turn: number, attempt: number): void
  /** Ends the calls that the messages answer. */
  take(messages: readonly Message[]): void
  /** Ends what is left: nobody knows what became of it. */
  abandon(): void
  claim(name: string, input: unknown): OpenCall | undefined
  /** The one call that is open, if there is exactly one. */
  readonly only: OpenCall | undefined
}

export function createOpenCalls(emit: (event: EventBody) => void, now: () => number): OpenCalls {
  const open = new Map<string, OpenCall>()

  function end(call: OpenCall, result: ToolResultContent, outcome: 'error' | 'ok' | 'unknown'): void {
    open.delete(call.id)
    const { id: toolUseId, name, input, turn, startedAt, endedAt } = call
    const durationMs = Math.max(0, (endedAt ?? now()) - startedAt)
    emit({ type: 'tool.finished', toolUseId, name, input, turn, result, outcome, durationMs })
  }

  return {
    begin(content, turn, attempt) {
      for (const { type, id, name, input } of content) {
        if (type !== 'tool_use' || typeof id !== 'string' || typeof name !== 'string') continue
        open.set(id, { id, name, input, turn, startedAt: now(), endedAt: undefined, isClaimed: false })
        emit({ type: 'tool.started', toolUseId: id, name, input, turn, attempt })
      }
    },
    take(messages) {
      if (open.size === 0) return
      for (const { type, tool_use_id, content, is_error } of messages.flatMap(blocksOf)) {
        const call = type === 'tool_result' && typeof tool_use_id === 'string' ? open.get(tool_use_id) : undefined
        if (call !== undefined) end(call, resultOf(content), is_error === true ? 'error' : 'ok')
      }
    },
    abandon() {
      for (const call of open.values()) end(call, '', 'unknown')
    },
    claim(name, input) {
      const calls = [...open.values()].filter((call) => call.name === name && !call.isClaimed)
      const json = JSON.stringify(input)
      const call =
        calls.find((each) => JSON.stringify(each.input) === json) ?? (calls.length === 1 ? calls[0] : undefined)
      if (call === undefined) return undefined
      call.isClaimed = true
      call.startedAt = now()
      return call
    },
    get only() {
      return open.size === 1 ? [...open.values()][0] : undefined
    },
  }
}

function resultOf(content: unknown): ToolResultContent {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.filter(isBlock) : ''
}

function isBlock(value: unknown): value is ContentBlock {
  return isRecord(value) && typeof value['type'] === 'string'
}
