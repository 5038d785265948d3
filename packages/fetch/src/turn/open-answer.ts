import type { RequestBody } from '@millrace/core'
import {
  bufferedSource,
  collectedSource,
  openEventStream,
  type Request as RequestKind,
  type SourceOptions,
  streamSource,
  type TurnSource,
  watchedStream,
} from '@millrace/core/recovery'
import type { FetchSettings } from '../request/options.ts'
import type { Upstream } from '../request/upstream.ts'
import { createFrameReader, type Frame } from '../stream/frame-reader.ts'

/** Returns how an answer is asked for: as a stream of frames, or in one body that is given as such a stream. */
export function openAnswer(
  { settings, upstream }: { readonly settings: FetchSettings; readonly upstream: Upstream },
  request: RequestKind,
  body: RequestBody,
): (options: SourceOptions) => AsyncIterable<readonly Frame[]> {
  const { recovery, runtime } = settings
  const { client } = upstream
  const watch = { clock: runtime.clock, limits: recovery }
  switch (request) {
    case 'stream':
      return (options) =>
        watchedStream(
          async ({ signal }) => openEventStream(await upstream.ask(body, signal), createFrameReader()),
          watch,
          options,
        )
    case 'buffered':
      return framesOf(bufferedSource({ client, clock: runtime.clock, timeout: recovery.bufferedTimeout }), body)
    case 'collected':
      return framesOf(collectedSource(streamSource({ client, ...watch })), body)
  }
}

function framesOf(source: TurnSource, body: RequestBody): (options: SourceOptions) => AsyncIterable<readonly Frame[]> {
  return async function* open(options) {
    for await (const events of source.open(body, options)) yield events.map((event) => ({ event, bytes: undefined }))
  }
}
