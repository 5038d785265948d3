import {
  expectedFrom,
  faultMatrix,
  formatReport,
  gradeLoop,
  isAsItShould,
  type LoopUnderTest,
  naiveLoop,
  parseExpectedTable,
} from '@millrace/testing'

/** Your loop goes here: it asks `job.baseURL`, runs `job.tools`, and says at the end what a client sees. */
const myLoop: LoopUnderTest = async (job) => {
  const messages: unknown[] = [...job.messages]
  try {
    const response = await fetch(`${job.baseURL}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': job.apiKey },
      body: JSON.stringify({ model: job.model, max_tokens: 1024, messages }),
      signal: job.signal,
    })
    const answer = await response.json()
    messages.push({ role: 'assistant', content: answer.content })
    const shown = answer.content.map((block: { text?: string }) => block.text ?? '').join('')
    return { outcome: 'completed', shown, text: shown, messages, clientFacing: [shown] }
  } catch {
    const error = { code: 'connection', message: 'The model did not answer.', retryable: true }
    return { outcome: 'failed', shown: '', text: '', messages, error, clientFacing: [error] }
  }
}

const expected = expectedFrom(
  parseExpectedTable([
    { match: '*/status,status=40*', outcome: 'failed', reason: 'the API says that asking again is no use' },
    { match: '*/every-request', outcome: 'failed', reason: 'no request is ever answered' },
  ]),
)

const cases = faultMatrix({ seed: 1, sample: 60 })
const grades = [
  await gradeLoop({ name: 'mine', loop: myLoop, cases, expected, caseTimeout: 2000 }),
  await gradeLoop({ name: 'baseline', loop: naiveLoop, cases, expected, caseTimeout: 2000 }),
]
console.log(formatReport(grades, { failingCases: 3 }))
process.exitCode = grades[0]?.results.every(isAsItShould) ? 0 : 1
