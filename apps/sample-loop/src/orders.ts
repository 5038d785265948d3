import type Anthropic from '@anthropic-ai/sdk'
import { setTimeout as sleep } from 'node:timers/promises'

export const trackOrderDefinition: Anthropic.Tool = {
  name: 'track_order',
  description: 'Says where an order is.',
  input_schema: { type: 'object', properties: { orderId: { type: 'integer' } }, required: ['orderId'] },
}

const stations = ['warehouse', 'sorting centre', 'airport', 'customs', 'delivery van'] as const

/** Runs the tool. `onStation` is called at each station, for a caller that wants to show progress. */
export async function trackOrder(input: unknown, onStation?: (name: string, index: number) => void): Promise<string> {
  for (const [index, name] of stations.entries()) {
    await sleep(150)
    onStation?.(name, index)
  }
  return `Order ${orderId(input)} is in the delivery van.`
}

/** How many stations there are. */
export const stationCount: number = stations.length

function orderId(input: unknown): string {
  return typeof input === 'object' && input !== null && 'orderId' in input ? String(input.orderId) : 'unknown'
}
