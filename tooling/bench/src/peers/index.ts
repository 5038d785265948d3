import type { Peer } from './peer.ts'

/** Every peer by its name. Each is loaded only in the process that runs it. */
export const peers: Readonly<Record<string, () => Promise<Peer>>> = {
  'raw SDK': async () => (await import('./raw-sdk.ts')).rawSdk,
  Millrace: async () => (await import('./millrace.ts')).millrace,
  'Millrace, lean fetch': async () => (await import('./millrace.ts')).millraceLean,
  'Millrace, lean fetch, telemetry': async () => (await import('./millrace.ts')).millraceTelemetry,
  'SDK tool runner': async () => (await import('./tool-runner.ts')).toolRunner,
  'AI SDK': async () => (await import('./ai-sdk.ts')).aiSdk,
  'node:http by hand': async () => (await import('./by-hand.ts')).byHand,
  'byte pipe': async () => (await import('./by-hand.ts')).bytePipe,
}

/** The peer that the others are compared with. */
export const baseline = 'raw SDK'
