import { frameEncoder } from '../frames.ts'
import type { StreamEncoder } from '../stream-encoder.ts'
import { type AgUiOptions, agUiTranslator } from './translate.ts'

/**
 * AG-UI 1.0 over server-sent events, for `HttpAgent`. A turn is a step, thinking is reasoning, tool progress an activity;
 * what is retracted is removed by a `MESSAGES_SNAPSHOT`.
 */
export function agUiEncoder(options: AgUiOptions = {}): StreamEncoder {
  return frameEncoder(agUiTranslator(options))
}
