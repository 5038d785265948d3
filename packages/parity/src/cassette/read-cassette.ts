import { isRecord } from '@millrace/core/kit'
import { ParityError } from '../kit/errors.ts'
import { isList, type JsonObject } from '../kit/json.ts'
import {
  type BrokenReason,
  brokenReasons,
  type Cassette,
  cassetteFormat,
  cassetteVersion,
  type Exchange,
  type RecordedAnswer,
  type RecordedMessage,
  type RecordedRequest,
  type RequestBody,
} from './cassette.ts'
import { aCount, aList, aNumber, anObject, aString, refuse } from './checker.ts'

/**
 * Reads the text of a cassette file.
 *
 * @throws ParityError `invalid_cassette` with the path of what is wrong, `unsupported_version`
 */
export function parseCassette(text: string): Cassette {
  if (text.trim() === '') throw new ParityError('invalid_cassette', 'the cassette is empty')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    // The engine's message quotes the text, so it is only the cause: it may hold what users said.
    throw new ParityError('invalid_cassette', 'the cassette must be JSON; it may have been cut short', { cause })
  }
  return readCassette(value)
}

/**
 * Checks that a value is a cassette, field by field.
 *
 * @throws ParityError `invalid_cassette` with the path of what is wrong, `unsupported_version`
 */
export function readCassette(value: unknown): Cassette {
  if (!isRecord(value) || value['format'] !== cassetteFormat) refuse('format', `must be "${cassetteFormat}"`)
  const { version } = value
  // Checked first, since everything else may be different in another version.
  if (version !== cassetteVersion) {
    const found = typeof version === 'number' ? `is ${version}` : 'must be a number'
    throw new ParityError(
      'unsupported_version',
      `version ${found}, and this package reads version ${cassetteVersion}`,
      {
        path: 'version',
      },
    )
  }
  const { id, redacted, exchanges } = anObject(value, '', ['format', 'version', 'id', 'redacted', 'exchanges'])
  const list = aList(exchanges, 'exchanges')
  if (list.length === 0) refuse('exchanges', 'must hold at least one exchange')
  let messages = 0
  return {
    format: cassetteFormat,
    version: cassetteVersion,
    id: aString(id, 'id'),
    redacted: aList(redacted, 'redacted').map((path, index) => aString(path, `redacted[${index}]`)),
    exchanges: list.map((given, index) => {
      const exchange = readExchange(given, `exchanges[${index}]`, messages)
      messages = exchange.request.kept + exchange.request.body.messages.length
      return exchange
    }),
  }
}

function readExchange(value: unknown, path: string, before: number): Exchange {
  const fields = anObject(value, path, ['startedAt', 'firstByteMs?', 'durationMs', 'request', 'answer'])
  return {
    startedAt: aNumber(fields['startedAt'], `${path}.startedAt`),
    ...('firstByteMs' in fields && { firstByteMs: aNumber(fields['firstByteMs'], `${path}.firstByteMs`) }),
    durationMs: aNumber(fields['durationMs'], `${path}.durationMs`),
    request: readRequest(fields['request'], `${path}.request`, before),
    answer: readAnswer(fields['answer'], `${path}.answer`),
  }
}

function readRequest(value: unknown, path: string, before: number): RecordedRequest {
  const fields = anObject(value, path, ['betas?', 'kept', 'body'])
  const { body } = fields
  return {
    ...('betas' in fields && {
      betas: aList(fields['betas'], `${path}.betas`).map((beta, index) => aString(beta, `${path}.betas[${index}]`)),
    }),
    kept: aCount(fields['kept'], `${path}.kept`, 0, before),
    body: readBody(body, `${path}.body`),
  }
}

function readBody(value: unknown, path: string): RequestBody {
  if (!isRecord(value)) refuse(path, 'must be an object')
  const messages = aList(value['messages'], `${path}.messages`).map((message, index) =>
    readMessage(message, `${path}.messages[${index}]`),
  )
  aString(value['model'], `${path}.model`)
  aCount(value['max_tokens'], `${path}.max_tokens`, 1, Number.MAX_SAFE_INTEGER)
  if ('tools' in value) readBlocks(value['tools'], `${path}.tools`, 'name')
  return { ...value, messages }
}

function readMessage(value: unknown, path: string): JsonObject {
  if (!isRecord(value)) refuse(path, 'must be an object')
  aString(value['role'], `${path}.role`)
  if (typeof value['content'] !== 'string') readBlocks(value['content'], `${path}.content`, 'type')
  return value
}

function readBlocks(value: unknown, path: string, field: 'type' | 'name'): readonly JsonObject[] {
  return aList(value, path).map((block, index) => {
    if (!isRecord(block)) refuse(`${path}[${index}]`, 'must be an object')
    // A toolset and the tools of an MCP server have no name.
    if (field === 'type' || !('type' in block)) aString(block[field], `${path}[${index}].${field}`)
    return block
  })
}

function readAnswer(value: unknown, path: string): RecordedAnswer {
  const kind = isRecord(value) ? value['kind'] : undefined
  switch (kind) {
    case 'message': {
      const { message } = anObject(value, path, ['kind', 'message'])
      return { kind, message: readAnswerMessage(message, `${path}.message`) }
    }
    case 'stream': {
      const { sse } = anObject(value, path, ['kind', 'sse'])
      return { kind, sse: aString(sse, `${path}.sse`) }
    }
    case 'error': {
      const fields = anObject(value, path, ['kind', 'status', 'type?', 'retryAfter?'])
      return {
        kind,
        status: aCount(fields['status'], `${path}.status`, 200, 599),
        ...('type' in fields && { type: aString(fields['type'], `${path}.type`) }),
        ...('retryAfter' in fields && { retryAfter: aString(fields['retryAfter'], `${path}.retryAfter`) }),
      }
    }
    case 'broken': {
      const { reason } = anObject(value, path, ['kind', 'reason'])
      if (!isBrokenReason(reason)) refuse(`${path}.reason`, `must be one of ${brokenReasons.join(', ')}`)
      return { kind, reason }
    }
    default:
      return refuse(`${path}.kind`, 'must be one of message, stream, error, broken')
  }
}

function isBrokenReason(value: unknown): value is BrokenReason {
  return brokenReasons.some((reason) => reason === value)
}

function readAnswerMessage(value: unknown, path: string): RecordedMessage {
  if (!isRecord(value)) refuse(path, 'must be an object')
  const content = readBlocks(value['content'], `${path}.content`, 'type')
  const stop_reason = aString(value['stop_reason'], `${path}.stop_reason`)
  const { usage } = value
  if (!isRecord(usage)) refuse(`${path}.usage`, 'must be an object')
  return { ...value, content, stop_reason, usage }
}

/** Whether a value is a whole answer of the Messages API, with its stop reason. */
export function isRecordedMessage(value: unknown): value is RecordedMessage {
  return (
    isRecord(value) &&
    isList(value['content']) &&
    value['content'].every((block) => isRecord(block) && typeof block['type'] === 'string' && block['type'] !== '') &&
    typeof value['stop_reason'] === 'string' &&
    value['stop_reason'] !== '' &&
    isRecord(value['usage'])
  )
}
