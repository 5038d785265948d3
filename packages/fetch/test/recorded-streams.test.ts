import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layouts, layoutTurns } from '@millrace/testing'
import { type ByteChunking, chunkBytes, formatEvent } from '@millrace/testing/stream'
import { describe, expect, it } from 'vitest'
import { createFetch } from '../src/index.ts'
import { ask, bytesOf, streamOf } from './support/upstream.ts'

/** Where streams of the real API are kept, one event a line; they are not part of this repository. */
const folder = process.env['MILLRACE_RECORDED_STREAMS']
const needed = folder === undefined ? ' (skipped: MILLRACE_RECORDED_STREAMS is not set)' : ''

/** A file holds one answer, or several, each from its own `message_start` on. */
function recordings(): [name: string, sse: string][] {
  if (folder === undefined) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.chunks.txt'))
    .flatMap((file) => {
      const answers: string[] = []
      let id: unknown
      for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
        if (line.trim() === '') continue
        const event = JSON.parse(line)
        const isNext = event.type === 'message_start' && event.message.id !== id
        if (isNext) id = event.message.id
        // The recording of a gateway that starts twice: clients get the start once.
        else if (event.type === 'message_start') continue
        answers[isNext ? answers.length : answers.length - 1] =
          (isNext ? '' : (answers.at(-1) ?? '')) + formatEvent(event)
      }
      return answers.map((sse, index): [string, string] => [`${file}, answer ${index + 1}`, sse])
    })
}

/** A call without its stop is repaired, so that layout is left out. */
const scripted = layouts
  .filter(({ id }) => id !== 'unstopped-call')
  .flatMap((layout) =>
    layoutTurns(layout).map(({ turn, events }): [string, string] => [
      `layout ${layout.id}, turn ${turn}`,
      events.map(formatEvent).join(''),
    ]),
  )

const chunkings: ByteChunking[] = ['whole', 'events', 'bytes', { seed: 1 }, { seed: 2 }]

describe(`a stream that nothing breaks${needed}`, () => {
  it.each([...recordings(), ...scripted])('arrives byte for byte: %s', async (_, sse) => {
    for (const chunking of chunkings) {
      const fetch = createFetch({ fetch: async () => streamOf(chunkBytes(sse, chunking)) })
      const body = await bytesOf(await ask(fetch))
      expect(new TextDecoder().decode(body)).toBe(sse)
    }
  })

  it('arrives with carriage returns, comments and unknown fields as they were', async () => {
    const [, plain = ''] = scripted[0] ?? []
    const dressed = `\uFEFF: hello\n\n${plain.replaceAll('\n\n', '\nx-trace: 1\n\n: comment\n\n')}`
    for (const ending of ['\n', '\r\n', '\r']) {
      const sse = dressed.replaceAll('\n', ending)
      for (const chunking of chunkings) {
        const fetch = createFetch({ fetch: async () => streamOf(chunkBytes(sse, chunking)) })
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(await bytesOf(await ask(fetch)))).toBe(sse)
      }
    }
  })
})
