import { isRecord } from '../kit/guards.ts'
import { fault, faultOfErrorEvent } from '../protocol/faults.ts'
import type { StreamEvent } from './turn-source.ts'
import type { Watchdog } from './watchdog.ts'

/**
 * Parses the data of an event.
 *
 * @throws MillraceError `garbage`
 */
export function parseEvent(data: string): StreamEvent {
  let event: unknown
  try {
    event = JSON.parse(data)
  } catch (cause) {
    throw fault('garbage', { cause })
  }
  if (!isStreamEvent(event)) throw fault('garbage')
  return event
}

export function isStreamEvent(value: unknown): value is StreamEvent {
  return isRecord(value) && typeof value['type'] === 'string'
}

/**
 * Tells the watchdog what the event is a sign of.
 *
 * @throws MillraceError the fault that an `error` event stands for
 */
export function noteEvent(event: StreamEvent, watchdog: Watchdog | undefined, requestId: string | undefined): void {
  if (event.type === 'error') throw faultOfErrorEvent(event, requestId)
  if (event.type === 'ping') watchdog?.ping()
  else watchdog?.content(charactersOf(event))
}

/** Returns how many characters an event adds to a block; Infinity for one that begins or ends something. */
function charactersOf({ delta }: StreamEvent): number {
  if (!isRecord(delta)) return Infinity
  const added = delta['text'] ?? delta['thinking'] ?? delta['partial_json']
  return typeof added === 'string' ? added.length : Infinity
}
