import { frameEncoder } from '../frames.ts'
import type { StreamEncoder } from '../stream-encoder.ts'
import { type UiMessageStreamOptions, uiTranslator } from './translate.ts'

/**
 * The UI message stream of the AI SDK (version 1), for `useChat` and everything on `AbstractChat`. A turn is a step;
 * what is retracted is removed by `reset-step`, and what remains of the step is sent again.
 */
export function uiMessageStreamEncoder(options: UiMessageStreamOptions = {}): StreamEncoder {
  return frameEncoder(uiTranslator(options), {
    headers: { 'x-vercel-ai-ui-message-stream': 'v1' },
    end: 'data: [DONE]\n\n',
  })
}
