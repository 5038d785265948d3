import { jsonResponse } from '../response/result-encoder.ts'
import type { Services } from '../run/services.ts'

/** `GET /health`: 200 while the instance takes new runs, 503 once it shuts down. Says nothing of any run or user. */
export function showHealth({ shutdown, live, limits }: Services): Response {
  const { runs, followers, uploads } = limits
  const body = {
    status: shutdown.hasBegun ? 'draining' : 'ready',
    openRuns: live.size,
    followers: followers.size,
    refused: { runs: runs.refused, followers: followers.refused, uploads: uploads.refused },
  }
  return jsonResponse(body, shutdown.hasBegun ? 503 : 200)
}
