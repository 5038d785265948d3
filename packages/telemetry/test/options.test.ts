import { isMillraceError } from '@millrace/core'
import { expect, test } from 'vitest'
import { telemetry } from '../src/index.ts'
import { createPrometheus } from '../src/prometheus/index.ts'

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

test.each<[string, object]>([
  ['agentName', { agentName: '' }],
  ['provider', { provider: 7 }],
  ['legacyModel', { legacyModel: '' }],
  ['meter', { meter: true }],
  ['meter', { meter: { createCounter() {} } }],
  ['tracer', { tracer: {} }],
  ['chatSpans', { chatSpans: 'all' }],
  ['logger', { logger: { info() {} } }],
  ['breaker', { breaker: {} }],
  ['limits', { limits: 5 }],
  ['limits.models', { limits: { models: 0 } }],
  ['limits.tools', { limits: { tools: 1.5 } }],
  ['limits.reasons', { limits: { reasons: '5' } }],
  ['limits.runs', { limits: { runs: Number.NaN } }],
  ['window.length', { window: { length: 0 } }],
  ['window.steps', { window: { steps: 0 } }],
  ['clock', { clock: { now: 1 } }],
  ['onWarning', { onWarning: 'log' }],
])('telemetry: %s is refused where it is wrong, with its path and what is expected', (path, options) => {
  const error = thrownBy(() => telemetry(options))
  expect(isMillraceError(error, 'invalid_option') && error.path).toBe(path)
  expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`^${path} must be `)) })
})

test.each<[string, (options: object) => unknown, object]>([
  ['metre', telemetry, { metre: {} }],
  ['limits.users', telemetry, { limits: { users: 5 } }],
  ['window.buckets', telemetry, { window: { buckets: 5 } }],
  ['series', createPrometheus, { series: 5 }],
])('%s is unknown, and the error names what was meant or what there is', (path, create, options) => {
  const error = thrownBy(() => create(options))
  expect(isMillraceError(error, 'unknown_option') && error.path).toBe(path)
  expect(error).toMatchObject({
    message: expect.stringMatching(new RegExp(`^unknown option "${path}"; (did you mean|expected one of) `)),
  })
})

test('treats undefined options as missing', () => {
  const none: object = { agentName: undefined, meter: undefined, limits: undefined }
  expect(() => telemetry(none)).not.toThrow()
  expect(thrownBy(() => createPrometheus({ maxSeries: 0 }))).toMatchObject({
    code: 'invalid_option',
    path: 'maxSeries',
  })
})
