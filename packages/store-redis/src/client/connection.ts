/** What the stores need of a Redis client, whichever it is. */
export interface Connection {
  /** Sends one command. All its keys are in the slot of `key`, so that a Cluster client finds the node. */
  send(key: string, command: readonly string[]): Promise<unknown>
  /** Opens the one connection on which notifications arrive. */
  subscriber(events: SubscriberEvents): Subscriber
}

export interface SubscriberEvents {
  readonly onMessage: (channel: string) => void
  /** The connection is there, for the first time or again. What was published in between is lost. */
  readonly onReady: () => void
}

export interface Subscriber {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  close(): void
}
