/** One event of the Messages API's stream: the JSON of its `data` line. */
export interface StreamEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** Returns the event in its wire format. */
export function formatEvent(event: StreamEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
