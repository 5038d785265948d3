export type { ClientEvent, StreamReset } from './client-event.ts'
export type { ClientOptions, HeaderSource, ReconnectOptions } from './client-options.ts'
export { type Client, createClient, type FollowOptions, type StreamOptions } from './create-client.ts'
export { createView, type ViewStore } from './create-view.ts'
export { remoteAgent, type RemoteAgentOptions } from './remote-agent.ts'
export { reduceEvent, reduceEvents } from './reduce-events.ts'
export type { RunStream } from './run-stream.ts'
export {
  viewText,
  type BlockView,
  emptyView,
  type RunView,
  toolOf,
  type ToolView,
  type TurnView,
  type ViewDamage,
} from './view.ts'
