import type { Message, SessionStore } from '@millrace/core'

/** How long an answer may take before another request may answer in the same conversation, in milliseconds. */
const answerTime = 600_000

/**
 * Answers in a conversation, one run at a time: runs under `/agent` claim the same session.
 *
 * @param answer returns the whole conversation, its history included
 * @returns undefined if another run is answering in the conversation
 */
export async function inConversation<Answer extends { readonly messages: readonly Message[] }>(
  sessions: SessionStore,
  sessionId: string,
  answer: (history: readonly Message[]) => Promise<Answer>,
): Promise<Answer | undefined> {
  const claimant = crypto.randomUUID()
  const claim = await sessions.claim(sessionId, claimant, answerTime)
  if (claim.status === 'busy') return undefined
  const { messages, version } = claim.session
  try {
    const answered = await answer(messages)
    await sessions.commit(sessionId, claimant, version, answered.messages)
    return answered
  } finally {
    await sessions.release(sessionId, claimant)
  }
}
