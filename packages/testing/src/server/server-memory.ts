import { createHash } from 'node:crypto'
import type { Answer } from '../script/answer.ts'
import { canonicalJson } from '../kit/canonical-json.ts'
import { isString } from '../kit/guards.ts'
import { isRedactedData, isSigned } from '../script/signature.ts'
import type { ContentBlock } from '../script/turn.ts'
import type { ValidateMessagesOptions } from '../validation/validate-messages.ts'

/** What a server remembers of its own answers to judge later requests. */
export interface ServerMemory extends Required<ValidateMessagesOptions> {
  /** Returns how often these messages were asked, this time included. */
  countAttempt(messages: unknown): number
  remember(answer: Answer): void
}

/** @param limit how many answers, and how many conversations, are remembered; the oldest are forgotten first */
export function createServerMemory(limit: number): ServerMemory {
  const attempts = new Map<string, number>()
  const signed = new Map<string, true>()
  const paused = new Map<string, true>()

  const keep = <Value>(map: Map<string, Value>, key: string, value: Value): void => {
    map.delete(key)
    map.set(key, value)
    for (const oldest of map.keys()) {
      if (map.size <= limit) break
      map.delete(oldest)
    }
  }

  return {
    countAttempt(messages) {
      const key = digest(JSON.stringify(messages))
      const count = (attempts.get(key) ?? 0) + 1
      keep(attempts, key, count)
      return count
    },
    remember(answer) {
      for (const block of answer.content) {
        if (block.type === 'thinking') keep(signed, thinkingKey(block.thinking, block.signature), true)
        if (block.type === 'redacted_thinking') keep(signed, thinkingKey('', block.data), true)
      }
      const last = answer.content.at(-1)
      if (last !== undefined && (answer.stopReason === 'pause_turn' || answer.stopReason === 'compaction')) {
        keep(paused, blockKey(last), true)
      }
    },
    isSigned: (thinking, signature) => isSigned(thinking, signature) || signed.has(thinkingKey(thinking, signature)),
    isRedactedData: (data) => isRedactedData(data) || signed.has(thinkingKey('', data)),
    isPaused: (lastBlock) => paused.has(blockKey(lastBlock)),
  }
}

function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64')
}

function thinkingKey(thinking: unknown, proof: unknown): string {
  return digest(JSON.stringify([thinking, proof]))
}

function blockKey(block: ContentBlock): string {
  const { cache_control: _cacheControl, ...content } = block
  return digest(isString(content.text) ? `text:${content.text}` : canonicalJson(content))
}
