import { ProblemError } from './problem.ts'

/**
 * What a store answers; that it has failed is no failure of the request, which may be sent again.
 *
 * @throws ProblemError `store_unavailable`
 */
export async function askStore<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (cause) {
    throw new ProblemError('store_unavailable', 'Try again later', { retryAfter: 1, cause })
  }
}
