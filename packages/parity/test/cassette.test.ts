import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { isRecord } from '@millrace/core/kit'
import { type Cassette, formatCassette, isParityError, parseCassette, readCassette } from '../src/index.ts'
import { isList } from '../src/kit/json.ts'
import { shopScript } from './loops/shop-script.ts'
import { recordLoop } from './support/recorded.ts'

const schema: unknown = JSON.parse(readFileSync(new URL('../schema.json', import.meta.url), 'utf8'))
const bySchema = new Ajv({ allErrors: true, strictRequired: false }).compile(isRecord(schema) ? schema : false)

let message: Cassette
let stream: Cassette
beforeAll(async () => {
  message = await recordLoop(shopScript, { question: 'Charge twice' })
  stream = await recordLoop(shopScript, {
    question: 'Charge 500 for order 17',
    stream: true,
    beta: true,
    parameters: () => ({ betas: ['files-api-2025-04-14', 'mcp-client-2025-11-20'] }),
  })
})

/** A value with one field changed, or taken away. */
function changed(value: unknown, path: readonly (string | number)[], to: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return to
  if (isList(value)) return value.map((item, index) => (index === key ? changed(item, rest, to) : item))
  if (!isRecord(value)) return value
  const next = changed(value[key], rest, to)
  const { [String(key)]: _gone, ...others } = value
  return next === undefined ? others : { ...others, [key]: next }
}

const exchange = (index: number, ...path: (string | number)[]): (string | number)[] => ['exchanges', index, ...path]

/** What is refused, where; whether the schema can say so too: it cannot compare one place with another. */
const refused: readonly (readonly [
  path: readonly (string | number)[],
  to: unknown,
  where: string,
  inSchema?: false,
])[] = [
  [['format'], 'vcr', 'format'],
  [['id'], '', 'id'],
  [['id'], undefined, 'id'],
  [['extra'], 1, 'extra'],
  [['redacted'], 'none', 'redacted'],
  [['redacted'], [3], 'redacted[0]'],
  [['exchanges'], [], 'exchanges'],
  [['exchanges'], undefined, 'exchanges'],
  [exchange(0), 'x', 'exchanges[0]'],
  [exchange(0, 'startedAt'), '1', 'exchanges[0].startedAt'],
  [exchange(0, 'durationMs'), -1, 'exchanges[0].durationMs'],
  [exchange(0, 'firstByteMs'), null, 'exchanges[0].firstByteMs'],
  [exchange(0, 'cost'), 1, 'exchanges[0].cost'],
  [exchange(1, 'request'), undefined, 'exchanges[1].request'],
  [exchange(1, 'request', 'url'), 'x', 'exchanges[1].request.url'],
  [exchange(1, 'request', 'kept'), -1, 'exchanges[1].request.kept'],
  [exchange(0, 'request', 'kept'), 1, 'exchanges[0].request.kept', false],
  [exchange(1, 'request', 'kept'), 99, 'exchanges[1].request.kept', false],
  [exchange(0, 'request', 'betas'), [''], 'exchanges[0].request.betas[0]'],
  [exchange(0, 'request', 'body'), [], 'exchanges[0].request.body'],
  [exchange(0, 'request', 'body', 'model'), undefined, 'exchanges[0].request.body.model'],
  [exchange(0, 'request', 'body', 'max_tokens'), 0, 'exchanges[0].request.body.max_tokens'],
  [exchange(0, 'request', 'body', 'messages'), {}, 'exchanges[0].request.body.messages'],
  [exchange(0, 'request', 'body', 'messages', 0), 'Hi', 'exchanges[0].request.body.messages[0]'],
  [exchange(0, 'request', 'body', 'messages', 0, 'role'), 1, 'exchanges[0].request.body.messages[0].role'],
  [exchange(0, 'request', 'body', 'messages', 0, 'content'), 1, 'exchanges[0].request.body.messages[0].content'],
  [
    exchange(0, 'request', 'body', 'messages', 0, 'content'),
    [{}],
    'exchanges[0].request.body.messages[0].content[0].type',
  ],
  [exchange(0, 'request', 'body', 'tools', 0), {}, 'exchanges[0].request.body.tools[0].name'],
  [exchange(0, 'answer'), null, 'exchanges[0].answer.kind'],
  [exchange(0, 'answer', 'kind'), 'other', 'exchanges[0].answer.kind'],
  [exchange(0, 'answer', 'status'), 200, 'exchanges[0].answer.status'],
  [exchange(0, 'answer', 'message', 'content', 0, 'type'), '', 'exchanges[0].answer.message.content[0].type'],
  [exchange(0, 'answer', 'message', 'stop_reason'), null, 'exchanges[0].answer.message.stop_reason'],
  [exchange(0, 'answer', 'message', 'usage'), [], 'exchanges[0].answer.message.usage'],
  [exchange(0, 'answer'), { kind: 'stream', sse: '' }, 'exchanges[0].answer.sse'],
  [exchange(0, 'answer'), { kind: 'error', status: 99 }, 'exchanges[0].answer.status'],
  [exchange(0, 'answer'), { kind: 'error', status: 500, type: '' }, 'exchanges[0].answer.type'],
  [exchange(0, 'answer'), { kind: 'error', status: 500, message: 'x' }, 'exchanges[0].answer.message'],
  [exchange(0, 'answer'), { kind: 'error', status: 500, retryAfter: 1 }, 'exchanges[0].answer.retryAfter'],
  [exchange(0, 'answer'), { kind: 'broken', reason: 'lost' }, 'exchanges[0].answer.reason'],
]

/** The path that a refusal names. */
function refusalOf(value: unknown): string | undefined {
  try {
    readCassette(value)
    return undefined
  } catch (error) {
    return isParityError(error, 'invalid_cassette') ? error.path : String(error)
  }
}

describe('a cassette', () => {
  it('is the same after it was written and read', () => {
    for (const cassette of [message, stream]) {
      expect(parseCassette(formatCassette(cassette))).toEqual(cassette)
      expect(bySchema(cassette), JSON.stringify(bySchema.errors)).toBe(true)
    }
    expect(stream.exchanges[0]?.request.betas).toEqual(['files-api-2025-04-14', 'mcp-client-2025-11-20'])
    // A long history stands there once.
    expect(message.exchanges.map(({ request }) => request.kept)).toEqual([0, 1, 3])
  })

  const rows = refused.map(([path, to, where, inSchema]) => ({ path, to, where, inSchema }))
  it.each(rows)('is refused with $path as $to', ({ path, to, where, inSchema }) => {
    const wrong = changed(message, path, to)
    expect(refusalOf(wrong)).toBe(where)
    expect(bySchema(wrong)).toBe(inSchema === false)
  })

  it.each([2, 0, '1', undefined, null])('is refused with the version %j', (version) => {
    const error: unknown = ((): unknown => {
      try {
        return readCassette(changed(message, ['version'], version ?? undefined))
      } catch (thrown) {
        return thrown
      }
    })()
    expect(isParityError(error, 'unsupported_version')).toBe(true)
  })

  it('is read or refused, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(() => readCassette(value)).toThrow(expect.objectContaining({ name: 'ParityError' }))
      }),
    )
  })

  it('is refused if it was cut anywhere', () => {
    const text = formatCassette(message)
    for (let length = 1; length < text.trimEnd().length; length += 7) {
      expect(() => parseCassette(text.slice(0, length))).toThrow(
        'the cassette must be JSON; it may have been cut short',
      )
    }
  })

  it('is refused with a message that quotes nothing of it', () => {
    const secret = 'order-of-a-customer'
    fc.assert(
      fc.property(fc.constantFrom(...refused.map(([path]) => path)), (path) => {
        let said = ''
        try {
          readCassette(changed(message, path, secret))
        } catch (error) {
          said = String(error)
        }
        expect(said).not.toContain(secret)
      }),
    )
  })
})
