import { describe, expect, test } from 'vitest'
import {
  bufferedLoop,
  type FaultCase,
  faultMatrix,
  gradeLoop,
  type Job,
  leakCanary,
  type LoopReport,
  type LoopUnderTest,
} from '../src/index.ts'

/** A case in which nothing goes wrong. */
const [calm] = faultMatrix({ seed: 1, layouts: ['text-after-tool'], kinds: ['gzip'], frequencies: ['once'] })
if (calm === undefined) throw new Error('the matrix is empty')

async function findings(loop: LoopUnderTest, faultCase: FaultCase = calm ?? raise()): Promise<object> {
  const { results } = await gradeLoop({ name: 'x', loop, cases: [faultCase], caseTimeout: 3000 })
  return results[0]?.findings ?? {}
}

function raise(): never {
  throw new Error('no case')
}

/** The right loop, and one thing changed in what it says. */
function changed(change: (report: LoopReport, job: Job) => Partial<LoopReport>): LoopUnderTest {
  return async (job) => {
    const report = await bufferedLoop(job)
    return { ...report, ...change(report, job) }
  }
}

const error = { code: 'x', message: 'It failed.', retryable: true }

describe('the grader finds a violation in its column alone', () => {
  test('nothing is found without a violation', async () => {
    expect(await findings(bufferedLoop)).toEqual({})
  })

  test.each<[string, string, LoopUnderTest]>([
    [
      'exactlyOnce',
      'a tool run twice',
      async (job) => {
        await job.tools[0]?.run({}, { signal: job.signal, toolUseId: 'x' })
        return await bufferedLoop(job)
      },
    ],
    ['exactText', 'text shown twice', changed((report) => ({ shown: report.shown + report.shown }))],
    ['exactText', 'text shown short', changed((report) => ({ shown: report.shown.slice(0, -1) }))],
    ['exactText', 'another text returned', changed(() => ({ text: 'Something else.' }))],
    [
      'history',
      'a call left open',
      changed((report) => ({
        messages: [
          ...report.messages,
          { role: 'user', content: 'x' },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'x', input: {} }] },
        ],
      })),
    ],
    ['typedError', 'completed with an error', changed(() => ({ error }))],
    ['noLeak', 'the key', changed((_report, job) => ({ clientFacing: [{ deep: [`Bearer ${job.apiKey}`] }] }))],
    ['noLeak', 'an upstream body', changed(() => ({ clientFacing: [new Error(`502 ${leakCanary}`)] }))],
    [
      'noLeak',
      'an upstream body in a cause',
      changed(() => ({ clientFacing: [new Error('x', { cause: new Error(leakCanary) })] })),
    ],
    ['noLeak', 'a stack', changed(() => ({ clientFacing: ['Error: x\n    at run (loop.js:1:2)'] }))],
    ['noLeak', 'a path', changed(() => ({ clientFacing: [{ message: 'no such file /srv/app/secrets/key.pem' }] }))],
    ['noLeak', 'a path of Windows', changed(() => ({ clientFacing: ['C:\\Users\\ada\\app.js'] }))],
    [
      'noResidue',
      'a timer left',
      async (job) => {
        job.clock.setTimer(() => undefined, 60_000)
        return await bufferedLoop(job)
      },
    ],
    [
      'noResidue',
      'an unhandled rejection',
      async (job) => {
        void Promise.reject(new Error('nobody listens'))
        return await bufferedLoop(job)
      },
    ],
    ['typedError', 'no report', () => Promise.resolve(JSON.parse('{"outcome":"completed"}'))],
  ])('%s: %s', async (column, _what, loop) => {
    expect(Object.keys(await findings(loop))).toEqual([column])
  })

  test('exactText: text of a turn that the history has lost', async () => {
    // Shown and history agree, and both lack the beginning: it is what the model said that tells.
    const lossy = changed((report) => {
      const messages = report.messages.filter((_message, index) => index === 0 || index === report.messages.length - 1)
      const merged = [messages[0], messages[1]]
      return { messages: merged, shown: 'The card was chargedThe card was charged.', text: 'The card was charged.' }
    })
    expect(await findings(lossy)).toHaveProperty('exactText')
  })

  test('noResidue: a request left open', async () => {
    const [stalled] = faultMatrix({
      seed: 1,
      layouts: ['text-after-tool'],
      kinds: ['no-headers'],
      frequencies: ['once'],
    })
    const left = new AbortController()
    const loop: LoopUnderTest = async (job) => {
      const body = JSON.stringify({ model: job.model, max_tokens: 1, messages: job.messages })
      fetch(`${job.baseURL}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'k' },
        body,
        signal: left.signal,
      }).catch(() => undefined)
      await new Promise((resolve) => job.clock.setTimer(() => resolve(undefined), 1000))
      return await bufferedLoop(job)
    }
    expect(await findings(loop, stalled)).toEqual({ noResidue: '1 requests still open' })
    left.abort()
  })

  test('typedError: a failed run without a typed error', async () => {
    const failed: Partial<LoopReport> = { outcome: 'failed', shown: '', text: '' }
    const fail =
      (more: object): LoopUnderTest =>
      (job) =>
        Promise.resolve({
          outcome: 'failed',
          shown: '',
          text: '',
          messages: job.messages,
          clientFacing: [],
          ...failed,
          ...more,
        })
    expect(Object.keys(await findings(fail({ error })))).toEqual(['completed'])
    expect(Object.keys(await findings(fail({})))).toEqual(['typedError', 'completed'])
    expect(Object.keys(await findings(fail({ error: { ...error, code: '' } })))).toEqual(['typedError', 'completed'])
    expect(Object.keys(await findings(fail({ error, outcome: 'completed' })))).toEqual([
      'exactlyOnce',
      'exactText',
      'silence',
      'typedError',
    ])
    expect(Object.keys(await findings(() => Promise.reject(new Error('x'))))).toEqual(['typedError', 'completed'])
    expect(Object.keys(await findings(() => new Promise(() => undefined)))).toEqual(['noHang', 'completed'])
  })
})

test('gradeLoop stops on its signal, and reports its progress', async () => {
  const cases = faultMatrix({ seed: 2, kinds: ['destroy'], sample: 50 })
  const stop = new AbortController()
  const seen: string[] = []
  const grades = await gradeLoop({
    name: 'x',
    loop: bufferedLoop,
    cases,
    concurrency: 1,
    signal: stop.signal,
    onProgress(done, total, result) {
      seen.push(`${done}/${total} ${result.id}`)
      if (done === 3) stop.abort()
    },
  })
  expect(seen).toEqual([1, 2, 3].map((done) => `${done}/50 ${cases[done - 1]?.id}`))
  expect(grades.results).toHaveLength(3)
})

test('gradeLoop refuses a case of an unknown layout', async () => {
  const grading = gradeLoop({ name: 'x', loop: bufferedLoop, cases: [{ ...(calm ?? raise()), layout: 'nowhere' }] })
  await expect(grading).rejects.toMatchObject({ code: 'invalid_option', path: 'cases' })
})
