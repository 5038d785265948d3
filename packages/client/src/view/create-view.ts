import type { ClientEvent } from './client-event.ts'
import { reduceEvents } from './reduce-events.ts'
import { emptyView, type RunView } from './view.ts'

/** A store of a view, with the interface that user interface frameworks expect. */
export interface ViewStore {
  readonly current: () => RunView
  /** Applies events and returns the view. Calls the listeners once if something changed. */
  readonly apply: (events: Iterable<ClientEvent>) => RunView
  /** Calls `listener` after each change, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void
}

/**
 * Creates a store of a view.
 *
 * @param initial default: the empty view
 */
export function createView(initial: RunView = emptyView): ViewStore {
  const listeners = new Set<() => void>()
  let view = initial
  return {
    current: () => view,
    apply(events) {
      const next = reduceEvents(view, events)
      if (next === view) return view
      view = next
      for (const listener of listeners) listener()
      return view
    },
    subscribe(listener) {
      // Wrapped, so that a function that subscribed twice is called twice and can unsubscribe each time.
      const entry = (): void => listener()
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
  }
}
