import { createClient } from '@millrace/client'
import type { AgentEvent } from '@millrace/core'

/** A visitor of a chat, who keeps the cookie of their session. */
export interface Visitor {
  /** Asks on the old route. Returns the reply; undefined while another answer is under way. */
  chat(message: string): Promise<string | undefined>
  /** Starts a run and returns its events. Waits for `see` after each of them. */
  run(input: string, see?: (event: AgentEvent) => unknown): Promise<readonly AgentEvent[]>
  /** Returns the events of a run after `seq`. */
  follow(runId: string, seq: number): Promise<readonly AgentEvent[]>
  cancel(runId: string): Promise<unknown>
}

/** @param url where the app listens */
export function openVisitor(url: string): Visitor {
  let cookie = ''

  const fetchWithCookie: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('cookie', cookie)
    const response = await fetch(input, { ...init, headers })
    cookie = response.headers.get('set-cookie')?.split(';', 1).join('') ?? cookie
    return response
  }
  const client = createClient({ url: `${url}/agent`, fetch: fetchWithCookie })

  async function eventsOf(
    stream: ReturnType<typeof client.follow>,
    see?: (event: AgentEvent) => unknown,
  ): Promise<readonly AgentEvent[]> {
    const events: AgentEvent[] = []
    for await (const event of stream) {
      if (event.type === 'reset' || event.type === 'unknown') throw new Error(`unexpected event "${event.type}"`)
      events.push(event)
      await see?.(event)
    }
    return events
  }

  return {
    async chat(message) {
      const response = await fetchWithCookie(`${url}/chat`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ message }),
      })
      const { reply }: { reply?: string } = await response.json()
      return reply
    },
    run: (input, see) => eventsOf(client.start({ input }), see),
    follow: (runId, seq) => eventsOf(client.follow(runId, { after: seq })),
    cancel: (runId) => client.cancel(runId),
  }
}
