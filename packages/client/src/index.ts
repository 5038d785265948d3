export { type Client, type ClientCallOptions, createClient, type FollowOptions } from './client/create-client.ts'
export type { RunStream } from './client/run-stream.ts'
export type { ClientOptions, HeaderSource, ReconnectOptions } from './http/client-options.ts'
export { remoteAgent, type RemoteAgentOptions } from './remote/remote-agent.ts'
export type { ClientEvent, StreamReset } from './view/client-event.ts'
export { createView, type ViewStore } from './view/create-view.ts'
export { reduceEvent, reduceEvents } from './view/reduce-events.ts'
export {
  type BlockView,
  emptyView,
  type RunView,
  toolOf,
  type ToolView,
  type TurnView,
  type ViewDamage,
  viewText,
} from './view/view.ts'
