import { isRecord, parseJson } from '@millrace/core/kit'
import { type JsonObject } from '../kit/json.ts'
import { type Fetch, isMessagesPath } from '../record/recording-fetch.ts'

/** A request as it would have gone to the Messages API. */
export interface CapturedRequest {
  readonly body: JsonObject
  /** The values of its `anthropic-beta` header. */
  readonly betas: readonly string[]
}

/** Catches the first request to the Messages API. */
export interface RequestCapture {
  /** Never answers, so that no tool of the team's runs. It rejects once the request is aborted. */
  readonly fetch: Fetch
  readonly request: Promise<CapturedRequest>
}

export function captureRequest(): RequestCapture {
  let capture: (request: CapturedRequest) => void = () => {}
  const request = new Promise<CapturedRequest>((resolve) => {
    capture = resolve
  })
  return {
    request,
    async fetch(input, init) {
      const sent = new Request(input, init)
      const body = isMessagesPath(new URL(sent.url).pathname) ? parseJson(await sent.text()) : undefined
      if (!isRecord(body)) throw new TypeError('only the Messages API can be asked here')
      const betas = sent.headers.get('anthropic-beta')?.split(',') ?? []
      capture({ body, betas: betas.map((beta) => beta.trim()).filter((beta) => beta !== '') })
      return await aborted(sent.signal)
    },
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason instanceof Error ? signal.reason : new TypeError('aborted'))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}
