import { isRecord } from '@millrace/core/kit'
import { ParityError } from '../kit/errors.ts'

const counts = ['maxBodyBytes', 'maxHeldBytes', 'maxOpenRuns']
const lists = ['redact', 'secrets']
const functions = ['onProblem']
const others = ['sink', 'recordingId', 'clock']

/** @throws ParityError `invalid_option` with the option's path and what is expected there */
export function checkOptions(options: unknown): void {
  if (!isRecord(options)) refuse('options', 'must be an object')
  const known = [...counts, ...lists, ...functions, ...others]
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) refuse(name, `is no option; known here are ${known.join(', ')}`)
    if (value === undefined) continue
    if (counts.includes(name) && !(Number.isSafeInteger(value) && Number(value) >= 1)) {
      refuse(name, 'must be a whole number of at least 1')
    }
    if (lists.includes(name) && !(Array.isArray(value) && value.every((item) => typeof item === 'string'))) {
      refuse(name, 'must be a list of texts')
    }
    if (functions.includes(name) && typeof value !== 'function') refuse(name, 'must be a function')
  }
  const { sink, recordingId, secrets } = options
  if (!isRecord(sink) || typeof sink['write'] !== 'function') refuse('sink', 'must be an object with write()')
  if (recordingId !== undefined && !(typeof recordingId === 'string' && /^[\w-]{1,100}$/.test(recordingId))) {
    // It is part of a file's name.
    refuse('recordingId', 'must be 1 to 100 letters, digits, "_" or "-"')
  }
  if (Array.isArray(secrets) && secrets.some((secret) => String(secret).length < 8)) {
    refuse('secrets', 'must be of at least 8 characters each: a shorter one would be found in words')
  }
}

function refuse(path: string, expected: string): never {
  throw new ParityError('invalid_option', `${path} ${expected}`, { path })
}
