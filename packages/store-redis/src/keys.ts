/**
 * The keys of one run, conversation or state key: all in the slot of its hash tag, so that one script may touch them.
 * Braces in an id would end the tag early.
 */
export interface Keys {
  run(runId: string): readonly [run: string, events: string]
  /** Published to with each append and with the close. */
  eventsChannel(runId: string): string
  cancelChannel(runId: string): string
  /** Which runs are open. One sorted set of ids, whatever the slot of the runs. */
  readonly openRuns: string
  /** Runs by the time of their creation: of one owner, or all. */
  runList(owner: string | undefined): string
  session(sessionId: string): string
  /** An owner's conversations by the time of their last use. */
  sessionList(owner: string): string
  value(key: string): string
  counters(key: string): readonly [counters: string, units: string, calls: string]
}

export function createKeys(prefix: string): Keys {
  const tagged = (kind: string, id: string, part: string): string => `${prefix}{${kind}:${escape(id)}}:${part}`
  return {
    run: (runId) => [tagged('run', runId, 'record'), tagged('run', runId, 'events')],
    eventsChannel: (runId) => tagged('run', runId, 'appended'),
    cancelChannel: (runId) => tagged('run', runId, 'cancelled'),
    openRuns: `${prefix}{runs}:open`,
    runList: (owner) => (owner === undefined ? `${prefix}{runs}:all` : tagged('owner', owner, 'runs')),
    sessionList: (owner) => tagged('owner', owner, 'sessions'),
    session: (sessionId) => tagged('session', sessionId, 'messages'),
    value: (key) => tagged('state', key, 'value'),
    counters: (key) => [tagged('state', key, 'counters'), tagged('state', key, 'units'), tagged('state', key, 'calls')],
  }
}

function escape(id: string): string {
  return id.replace(/[%{}]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
}
